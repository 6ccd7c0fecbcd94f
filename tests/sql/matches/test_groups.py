"""shop_private.groups merges linked products into groups. shop.match_products returns the groups."""

import random
from typing import TYPE_CHECKING

from tests.support.matches.matching import BACKPACK, SAUCEPAN, Posting, add, call, groups

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_each_row_has_the_smallest_product_id_and_the_size_of_its_group(shop_with_thresholds: "Shop") -> None:
    add(
        shop_with_thresholds,
        *(Posting(sku, 1, 1) for sku in "abc"),
        Posting("x", 5, 5, SAUCEPAN),
        Posting("y", 5.1, 5, SAUCEPAN),
    )
    rows = call(shop_with_thresholds, "match_products")
    assert [row.group_size for row in rows] == [3, 3, 3, 2, 2]
    for row in rows:
        assert row.group_id == min(other.product_id for other in rows if other.group_id == row.group_id)
    assert {row.title for row in rows} == {BACKPACK, SAUCEPAN}


def test_a_chain_of_similar_products_is_not_one_group(shop_with_thresholds: "Shop") -> None:
    """Each product matches the next product of the chain, but no group has all six products."""
    add(shop_with_thresholds, *(Posting(f"p{n}", 1 + n * 0.15, 10 + n, SAUCEPAN[n:] * 2) for n in range(6)))
    linked = {(row.sku, n) for n in range(6) for row in call(shop_with_thresholds, "matches", sku=f"p{n}")}
    assert {(f"p{n + 1}", n) for n in range(5)} <= linked
    assert max(len(group) for group in groups(shop_with_thresholds)) < 6


def groups_in_python(links: list[tuple[int, int]], most: int) -> list[int]:
    """Implements shop_private.groups in a simple way. Returns, for each product, the smallest number in its group."""
    of = {n: {n} for n in range(1, 1 + max((n for link in links for n in link), default=0))}
    near = {frozenset(link) for link in links}
    for a, b in links:
        one, two = of[a], of[b]
        crossing = sum(frozenset((x, y)) in near for x in one for y in two)
        if one is not two and len(one) + len(two) <= most and 2 * crossing >= len(one) * len(two):
            of |= dict.fromkeys(one | two, one | two)
    return [min(of[n]) for n in sorted(of)]


def test_groups_merge_if_half_of_their_pairs_are_linked_and_the_result_is_small_enough(
    shop: "Shop",
) -> None:
    chance = random.Random(11)
    for case in range(60):
        things = chance.randint(2, 24)
        every = [(a, b) for a in range(1, things + 1) for b in range(a + 1, things + 1)]
        links = chance.sample(every, chance.randint(1, len(every)))
        most = chance.choice((2, 3, 5, 50))
        got = shop.value(
            "select shop_private.groups(cast(:a as integer[]), cast(:b as integer[]), :most)",
            a=[a for a, _ in links],
            b=[b for _, b in links],
            most=most,
        )
        assert got == groups_in_python(links, most), (case, links, most)


def test_without_linked_products_there_are_no_groups(shop: "Shop") -> None:
    assert shop.value("select shop_private.groups(null, null, 50)") in (None, [])
    assert groups(shop) == set()


def test_groups_of_seven_equal_products_have_at_most_max_size_products(shop_with_thresholds: "Shop") -> None:
    add(shop_with_thresholds, *(Posting(f"p{n}", 1, 1) for n in range(7)))
    assert sorted(len(group) for group in groups(shop_with_thresholds, max_size=3)) == [3, 3]
