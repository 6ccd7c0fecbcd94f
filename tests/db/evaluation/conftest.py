"""An analyst, and a shop in which nothing is judged after a test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture
def no_judgements(shop: "Shop") -> Iterator[None]:
    yield
    for table in ("judgement", "evaluation", "tuning", "calibration"):
        shop.run(f"delete from shop.{table}")
    shop.run("delete from shop.catalog where catalog <> 'main'")  # a search of the only catalog is another search


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)
