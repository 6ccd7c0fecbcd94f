from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.matching import THRESHOLDS

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture
def fitted(shop: "Shop") -> Iterator["Shop"]:
    """A shop whose model has thresholds, so that a distance means the same in every test and every catalog."""
    shop.run("delete from shop.tuning")
    for name, value in THRESHOLDS.items():
        shop.run(
            "insert into shop.tuning (model_id, name, value) values (1, :name, :value)",
            name=f"match:{name}",
            value=value,
        )
    yield shop
    shop.run("delete from shop.tuning")
