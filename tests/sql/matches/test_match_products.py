"""Products match by the similarity of their images, of the perceptual hashes of these images, and of their titles.
Equal attributes alone are no match."""

import random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db.errors import DatabaseError, StatementRefused
from db.roles import Role
from tests.support.matches.matching import BACKPACK, DETAILED, FLAT, SAUCEPAN, Posting, add, call, flipped, groups

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.mark.parametrize(
    ("other", "evidence"),
    [
        (Posting("b", 1.19, 2, SAUCEPAN), "image"),
        # The images are similar, but not similar enough to match without similar titles.
        (Posting("b", 1.25, 2, SAUCEPAN), None),
        (Posting("b", 2, 1.05), "title"),
        # The titles have similar vectors but different words.
        (Posting("b", 2, 1.05, SAUCEPAN), None),
        # Neither the images alone nor the titles alone are similar enough for a match, but both together are.
        (Posting("b", 1.25, 1.05, SAUCEPAN), "image+title"),
        (Posting("b", 1.25, 2, SAUCEPAN, flipped(DETAILED, 6)), "phash+image"),
        (Posting("b", 1.25, 2, SAUCEPAN, flipped(DETAILED, 7)), None),
        (Posting("b", 1, 1, BACKPACK, DETAILED), "phash+image+title"),
    ],
)
def test_evidence_names_the_signals_that_contribute_to_a_match(
    shop_with_thresholds: "Shop", other: Posting, evidence: str | None
) -> None:
    add(shop_with_thresholds, Posting("a", 1, 1, phash=DETAILED), other)
    found = call(shop_with_thresholds, "matches", sku="a")
    assert [(row.sku, row.evidence) for row in found] == ([("b", evidence)] if evidence else [])
    assert groups(shop_with_thresholds) == ({frozenset("ab")} if evidence else set())


def test_matches_are_listed_best_first_with_every_distance(shop_with_thresholds: "Shop") -> None:
    add(
        shop_with_thresholds,
        Posting("a", 1, 1, phash=DETAILED),
        Posting("near", 1.1, 1.1, phash=flipped(DETAILED, 4), fields={"price": 9.5}),
        Posting("equal", 1, 1, phash=DETAILED),
        Posting("other", 2, 2, SAUCEPAN),
    )
    equal, near = call(shop_with_thresholds, "matches", sku="a")
    assert (equal.sku, equal.score, equal.price) == ("equal", pytest.approx(4, abs=0.01), None)
    assert (near.sku, near.phash_distance, float(near.price)) == ("near", 4, 9.5)
    assert near.image_distance == pytest.approx(0.1, abs=0.002)
    assert near.title_distance == pytest.approx(0.1, abs=0.002)
    assert near.trigram_similarity == 1
    # The score is the closeness of the images plus the closeness of the titles. The closeness of the images is the
    # larger of their closeness by hash (2 - 4/6) and their closeness by vector (2 - .1/.2). The closeness of the titles
    # is the mean of their closeness by vector (2 - .1/.3) and their closeness by trigrams (2).
    assert near.score == pytest.approx(1.5 + (1.667 + 2) / 2, abs=0.02)


def test_a_min_score_below_1_includes_less_similar_products(shop_with_thresholds: "Shop") -> None:
    add(shop_with_thresholds, Posting("a", 1, 1), Posting("b", 1.25, 2, SAUCEPAN))
    assert call(shop_with_thresholds, "matches", sku="a") == []
    [row] = call(shop_with_thresholds, "matches", sku="a", min_score=0.5)
    assert row.score == pytest.approx(0.75, abs=0.02)


def test_products_do_not_match_if_the_distance_of_their_images_is_above_max_distance(
    shop_with_thresholds: "Shop",
) -> None:
    add(shop_with_thresholds, Posting("a", 1, 1), Posting("b", 1.1, 1), Posting("c", 2, 1))
    assert groups(shop_with_thresholds) == {frozenset("abc")}
    assert groups(shop_with_thresholds, max_distance=0.15) == {frozenset("ab")}
    assert [row.sku for row in call(shop_with_thresholds, "matches", sku="a", max_distance=0.15)] == ["b"]


def test_products_with_equal_attributes_alone_do_not_match(shop_with_thresholds: "Shop") -> None:
    same = {
        "item_group_id": "g",
        "gtin": "4006381333931",
        "mpn": "m",
        "brand": "Acme",
        "attributes": {"label_group": "1"},
    }
    add(shop_with_thresholds, Posting("a", 1, 1, fields=same), Posting("b", 2, 2, SAUCEPAN, fields=same))
    assert groups(shop_with_thresholds) == set()
    assert call(shop_with_thresholds, "matches", sku="a") == []


def test_products_with_an_equal_perceptual_hash_match_before_they_are_encoded(shop_with_thresholds: "Shop") -> None:
    add(shop_with_thresholds, Posting("a", 1, 1, phash=DETAILED), Posting("b", 2, 2, SAUCEPAN, DETAILED), encode=False)
    [row] = call(shop_with_thresholds, "matches", sku="a")
    assert (row.sku, row.evidence, row.image_distance, row.title_distance) == ("b", "phash", None, None)


@pytest.mark.parametrize(
    ("phash", "expected"), [(DETAILED, {frozenset("ab")}), (FLAT, set()), (None, {frozenset("ab")})]
)
def test_images_with_the_hash_of_a_flat_image_do_not_match(
    shop_with_thresholds: "Shop", phash: str | None, expected: set[frozenset[str]]
) -> None:
    add(shop_with_thresholds, Posting("a", 1, 1, BACKPACK, phash), Posting("b", 1, 2, SAUCEPAN, phash))
    assert groups(shop_with_thresholds) == expected


def test_products_do_not_match_by_an_image_that_more_than_fifty_products_share(shop_with_thresholds: "Shop") -> None:
    chance = random.Random(3)
    titles = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=30)) for _ in range(51)]
    add(shop_with_thresholds, *(Posting(f"p{n}", 0, n + 1, title, DETAILED) for n, title in enumerate(titles)))
    assert groups(shop_with_thresholds) == set()
    assert call(shop_with_thresholds, "matches", sku="p7") == []
    shop_with_thresholds.run("delete from shop.product where sku = 'p0'")
    assert [len(group) for group in groups(shop_with_thresholds)] == [50]


@pytest.mark.parametrize(("title", "expected"), [("Flower", set()), (BACKPACK, {frozenset("ab")})])
def test_equal_titles_match_only_if_they_are_long_enough(
    shop_with_thresholds: "Shop", title: str, expected: set[frozenset[str]]
) -> None:
    add(shop_with_thresholds, Posting("a", 1, 1, title), Posting("b", 2, 1, title))
    assert groups(shop_with_thresholds) == expected


def test_both_products_of_a_match_pass_the_filter_and_belong_to_the_searched_catalog(
    shop_with_thresholds: "Shop",
) -> None:
    add(
        shop_with_thresholds,
        Posting("a", 1, 1, fields={"brand": "x"}),
        Posting("b", 1, 1),
        Posting("c", 1, 1, fields={"brand": "x"}),
    )
    add(shop_with_thresholds, Posting("a", 1, 1), into="outlet")
    assert groups(shop_with_thresholds) == {frozenset("abc")}
    assert groups(shop_with_thresholds, filter='{"brand": "x"}') == {frozenset("ac")}
    assert groups(shop_with_thresholds, catalog="outlet") == set()
    assert call(shop_with_thresholds, "matches", sku="a", catalog="outlet") == []


def test_matches_among_2100_products_are_found_with_the_hnsw_indexes(shop_with_thresholds: "Shop") -> None:
    made = [
        Posting(f"p{n}-{copy}", n + copy * 0.04, 5000 + n + copy * 0.05, f"{n * 7919 % 10007} thing number {n * 31}")
        for n in range(700)
        for copy in range(3)
    ]
    add(shop_with_thresholds, *made)
    shop_with_thresholds.run("analyze shop.product")
    expected = {frozenset(f"p{n}-{copy}" for copy in range(3)) for n in range(700)}
    analyst = shop_with_thresholds.connect(Role.ANALYST).execution_options(isolation_level="READ COMMITTED")
    with analyst.begin():
        rows = analyst.execute(text("select group_id, sku from shop.match_products()")).all()
        scans = analyst.execute(
            text(
                "select pg_stat_get_xact_numscans('shop.toy_image_hnsw'::regclass), "
                "pg_stat_get_xact_numscans('shop.toy_title_hnsw'::regclass)"
            )
        ).one()
    assert min(scans) >= len(made)
    found: dict[Any, set[str]] = {}
    for row in rows:
        found.setdefault(row.group_id, set()).add(row.sku)
    assert len(expected & {frozenset(skus) for skus in found.values()}) >= 0.98 * len(expected)
    assert {row.sku for row in call(shop_with_thresholds, "matches", sku="p5-0")} >= {"p5-1", "p5-2"}


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("match_products", {"k": 0}, "k is 0"),
        ("match_products", {"k": 201}, "k is 201"),
        ("match_products", {"min_score": 0}, "min_score is 0"),
        ("match_products", {"min_score": float("nan")}, "min_score is NaN"),
        ("match_products", {"max_distance": -1}, "max_distance is -1"),
        ("match_products", {"max_size": 1}, "max_size is 1"),
        ("match_products", {"max_size": None}, "max_size is null"),
        ("match_products", {"catalog": "nowhere"}, "nowhere"),
        ("matches", {"sku": "x'; drop table shop.product; --"}, "there is no product"),
        ("matches", {"sku": None}, "there is no product null"),
        ("matches", {"sku": "a", "catalog": "nowhere"}, "nowhere"),
        ("match_f1", {"truth": "price"}, "is not a field that tags can be read from"),
    ],
)
def test_invalid_arguments_are_rejected_with_a_reason(
    shop_with_thresholds: "Shop", function: str, arguments: dict[str, Any], message: str
) -> None:
    add(shop_with_thresholds, Posting("a", 1, 1))
    with pytest.raises(DatabaseError, match=message) as raised:
        call(shop_with_thresholds, function, **arguments)
    assert raised.value.sqlstate in ("22023", "42704")


def test_more_than_50000_products_are_rejected(shop_with_thresholds: "Shop") -> None:
    with shop_with_thresholds.database.connect(None) as conn, conn.begin():
        conn.execute(text("set local session_replication_role = replica"))
        conn.execute(
            text(
                "insert into shop.product (product_id, sku, title) select shop.product_id('s' || n), 's' || n, 't' "
                "from generate_series(1, 50001) n"
            )
        )
    with pytest.raises(StatementRefused, match="more than 50000 products match"):
        groups(shop_with_thresholds)
