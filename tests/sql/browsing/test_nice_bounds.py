"""shop_private.nice_bounds rounds the bounds of the ranges of a numeric facet."""

import random
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.mark.parametrize(
    ("numbers", "buckets", "bounds"),
    [
        ([9.99], 8, [9.99, 9.99]),
        ([1, 2, 3], 8, [1, 2, 3, 3]),
        ([5, 6, 7, 8, 9, 10], 1, [5, 10]),
        ([0.99, 4.99, 9.99, 19.99, 49.99, 99.99], 3, [0, 10, 50, 100]),
        ([990.1, 995.2, 1000.5, 1009.9], 4, [990, 995, 1000, 1010, 1010]),
        ([-3.5, -1.5, 0, 7], 2, [-4, 0, 7]),
    ],
)
def test_bounds_are_rounded_unless_there_is_only_one_number(
    shop: "Shop", numbers: list[float], buckets: int, bounds: list[float]
) -> None:
    found = shop.value(
        "select shop_private.nice_bounds(cast(:numbers as numeric[]), array_fill(1::bigint, array[:n]), :buckets)",
        numbers=[str(number) for number in numbers], n=len(numbers), buckets=buckets,
    )  # fmt: skip
    assert [float(bound) for bound in found] == bounds


@pytest.mark.parametrize("seed", range(20))
def test_bounds_ascend_and_enclose_every_number(shop: "Shop", seed: int) -> None:
    chance = random.Random(seed)
    spread = 10.0 ** chance.randint(-9, 9)
    drawn = {Decimal(str(round(chance.choice([chance.gauss(0, 1), 9, chance.expovariate(1) ** 4]) * spread, 6)))
             for _ in range(chance.randint(1, 200))}  # fmt: skip
    buckets = chance.randint(1, 20)
    bounds = shop.value(
        "select shop_private.nice_bounds(cast(:numbers as numeric[]), cast(:products as bigint[]), :buckets)",
        numbers=sorted(drawn), products=[chance.randint(1, 50) for _ in drawn], buckets=buckets,
    )  # fmt: skip
    assert bounds == sorted(bounds)
    assert 2 <= len(bounds) <= buckets + 1
    assert len(set(bounds[:-1])) == len(bounds) - 1 or len(drawn) == 1
    assert bounds[0] <= min(drawn) <= max(drawn) <= bounds[-1]
