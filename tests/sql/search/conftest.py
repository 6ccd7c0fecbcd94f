"""The fixtures provide twelve products that the toy model has encoded, and a connection of the role analyst."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def _stock(shop: "Shop") -> None:
    from tests.support.shop import product

    products = []
    for n in range(12):
        title = "red shoes" if n < 3 else f"a thing called {n}"
        kind = "footwear" if n < 6 else "bags"
        products.append(product(f"s{n}", title, image_count=3, price=10 * n, product_type=kind, attributes={"heel": n}))
    shop.load(*products)
    shop.encode_all()
    shop.cache("red shoes", seed=1)
    shop.cache("dark", seed=2)


@pytest.fixture
def stocked(filled_shop: "Callable[[Callable[[Shop], None]], Shop]") -> "Shop":
    """Returns a shop with twelve products of three images each. The query cache contains 'red shoes' and 'dark'."""
    return filled_shop(_stock)


@pytest.fixture
def analyst(stocked: "Shop") -> Iterator[Connection]:
    with stocked.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")
