"""shop.match_f1 measures how well the groups that were found agree with labelled groups. shop.submission lists the
matches of each product. shop.calibrate_matching fits the thresholds of matches to labelled groups."""

import random
from typing import TYPE_CHECKING

import pytest

from db.errors import DatabaseError, StatementRefused
from db.roles import Role
from tests.support.matches.matching import SAUCEPAN, THRESHOLDS, Posting, add, call

if TYPE_CHECKING:
    from tests.support.shop import Shop


def labelled(group: int, *postings: Posting) -> list[Posting]:
    return [
        Posting(p.sku, p.image, p.words, p.title, p.phash, {"attributes": {"label_group": str(group)}})
        for p in postings
    ]


def test_f1_is_computed_as_in_the_shopee_competition(shop_with_thresholds: "Shop") -> None:
    add(
        shop_with_thresholds,
        *labelled(1, Posting("a", 1, 1), Posting("b", 1, 1), Posting("c", 7, 7, SAUCEPAN)),  # c matches only itself
        *labelled(2, Posting("d", 3, 3, "telescope tripod, aluminium")),  # d is alone in group 2
        Posting("e", 1, 1),  # e has no label, so it does not count
    )
    [row] = call(shop_with_thresholds, "match_f1")
    assert (row.postings, row.groups) == (4, 2)
    assert row.mean_precision == 1
    assert row.mean_recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert row.mean_f1 == pytest.approx((4 / 5 + 4 / 5 + 2 / 4 + 1) / 4)


def test_a_submission_lists_every_posting_with_all_its_matches(shop_with_thresholds: "Shop") -> None:
    add(shop_with_thresholds, Posting("b", 1, 1), Posting("a", 1, 1), Posting("c", 7, 7, SAUCEPAN))
    add(shop_with_thresholds, Posting("z", 1, 1), into="outlet")
    assert [tuple(row) for row in call(shop_with_thresholds, "submission")] == [("a", "a b"), ("b", "a b"), ("c", "c")]


def test_calibration_fits_thresholds_and_measures_each_signal(shop_with_thresholds: "Shop") -> None:
    """The images of the two products of each group have the cosine distance 0.3, which is above the fixture's image
    threshold of 0.2. The titles are random."""
    chance = random.Random(5)
    titles = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz ", k=30)) for _ in range(360)]
    add(
        shop_with_thresholds,
        *(
            posting
            for n in range(120)
            for posting in labelled(
                n, *(Posting(f"p{n}-{c}", n + c * 0.3, 1000 + 3 * n + c, titles[3 * n + c]) for c in range(2))
            )
        ),
    )
    [before] = call(shop_with_thresholds, "match_f1")
    rows = {row.signals: row for row in call(shop_with_thresholds, "calibrate_matching", role=Role.APP)}
    assert list(rows) == ["phash", "image", "title", "all, as before", "all"]
    assert rows["all"].f1_held_out > 0.95 > 0.7 > rows["all, as before"].f1_held_out
    assert rows["image"].f1_held_out > 0.95 > 0.7 > rows["title"].f1_held_out
    assert rows["image"].title is None
    stored = dict(shop_with_thresholds.run("select name, value from shop.tuning"))
    assert stored == {f"match:{name}": getattr(rows["all"], name) for name in THRESHOLDS}
    assert stored["match:image"] > 0.3
    [after] = call(shop_with_thresholds, "match_f1")
    assert after.mean_f1 > 0.95 > before.mean_f1


def test_calibration_needs_fifty_groups_of_two_or_more_products(shop_with_thresholds: "Shop") -> None:
    add(
        shop_with_thresholds,
        *(posting for n in range(49) for posting in labelled(n, Posting(f"a{n}", n, n), Posting(f"b{n}", n, n))),
    )
    with pytest.raises(StatementRefused, match="by attributes.label_group, only 49 groups have two or more products"):
        call(shop_with_thresholds, "calibrate_matching", role=Role.APP)


def test_an_analyst_may_not_calibrate_matching(shop_with_thresholds: "Shop") -> None:
    with pytest.raises(DatabaseError, match="permission denied"):
        call(shop_with_thresholds, "calibrate_matching")


def test_default_thresholds_depend_on_the_distances_between_the_vectors_of_the_model(
    shop_with_thresholds: "Shop",
) -> None:
    shop_with_thresholds.run("delete from shop.tuning")
    add(shop_with_thresholds, *(Posting(f"p{n}", 1 + 0.001 * n, n) for n in range(200)))
    close, apart = shop_with_thresholds.run("select image, title from shop_private.match_thresholds()")[0]
    assert close < 0.02
    assert apart == pytest.approx(0.36, abs=0.04)
