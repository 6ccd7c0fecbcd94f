from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.matches.matching import THRESHOLDS

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture
def shop_with_thresholds(shop: "Shop") -> Iterator["Shop"]:
    """Yields a shop with fixed match thresholds, because the default thresholds depend on the vectors of the model."""
    shop.run("delete from shop.tuning")
    for name, value in THRESHOLDS.items():
        shop.run(
            "insert into shop.tuning (model_id, name, value) values (1, :name, :value)",
            name=f"match:{name}",
            value=value,
        )
    yield shop
    shop.run("delete from shop.tuning")
