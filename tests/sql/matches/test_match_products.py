"""The same product under several SKUs: found by picture and title, never by an attribute that says so."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text

from db.catalog.product import Image, Product
from db.errors import DatabaseError, StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

THRESHOLDS = {"phash": 6, "image": 0.2, "title": 0.3, "trigram": 0.5}
BACKPACK = "waterproof hiking backpack with rain cover"
SAUCEPAN = "enamelled saucepan for induction hobs"
DETAILED = "01" * 32  # a perceptual hash as pictures have them: half of its bits are set
FLAT = "1" + "0" * 63


@dataclass(frozen=True)
class Posting:
    """A product whose picture and title are points: 5 and 5.1 are .1 apart as cosines go, 5 and 6 have nothing to do
    with each other."""

    sku: str
    picture: float
    words: float
    title: str = BACKPACK
    phash: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@cache
def point(number: float) -> NDArray[np.float32]:
    whole, rest = divmod(round(number * 1000), 1000)
    axes, _ = np.linalg.qr(np.random.default_rng(whole).standard_normal((24, 2)))
    cosine = 1 - rest / 1000
    return (axes @ [cosine, np.sqrt(1 - cosine**2)]).astype(np.float32)


def flipped(phash: str, bits: int) -> str:
    return "".join("10"[int(bit)] if n < bits else bit for n, bit in enumerate(phash))


def add(shop: "Shop", *postings: Posting, into: str = "main", encode: bool = True) -> None:
    shop.load(*(Product(p.sku, p.title, images=(Image(p.sku, p.phash),), **p.fields) for p in postings), into=into)
    if not encode:
        return
    by_sku = {p.sku: p for p in postings}
    skus = dict(shop.run("select product_id, sku from shop.product"))
    worker = shop.worker()
    while items := worker.claim("title", 1000):
        worker.complete(items, "title", np.stack([point(by_sku[skus[i.product_id]].words) for i in items]))
    while items := worker.claim("image", 1000):
        worker.complete(items, "image", np.stack([point(by_sku[skus[i.product_id]].picture) for i in items]))
    worker.release()


def call(shop: "Shop", function: str, *, role: Role = Role.ANALYST, **arguments: Any) -> list[Any]:
    """With these named arguments; as an analyst, in the read-only transactions of that role."""
    named = ", ".join(
        f"{name} => " + ("cast(:filter as jsonb)" if name == "filter" else f":{name}") for name in arguments
    )
    return list(shop.connect(role).execute(text(f"select * from shop.{function}({named})"), arguments).all())


def groups(shop: "Shop", **arguments: Any) -> set[frozenset[str]]:
    found: dict[Any, set[str]] = {}
    for row in call(shop, "match_products", **arguments):
        found.setdefault(row.group_id, set()).add(row.sku)
    return {frozenset(skus) for skus in found.values()}


@pytest.fixture
def fitted(shop: "Shop") -> Iterator["Shop"]:
    """A shop whose model has thresholds, so that a test's distances mean the same however many products there are."""
    shop.run("delete from shop.tuning")
    for name, value in THRESHOLDS.items():
        shop.run(
            "insert into shop.tuning (model_id, name, value) values (1, :name, :value)",
            name=f"match:{name}",
            value=value,
        )
    yield shop
    shop.run("delete from shop.tuning")


@pytest.mark.parametrize(
    ("other", "evidence"),
    [
        (Posting("b", 1.19, 2, SAUCEPAN), "image"),
        (Posting("b", 1.25, 2, SAUCEPAN), None),  # near, but a picture that near does not say enough
        (Posting("b", 2, 1.05), "title"),
        (Posting("b", 2, 1.05, SAUCEPAN), None),  # the meaning without the words
        (Posting("b", 1.25, 1.05, SAUCEPAN), "image+title"),  # both together do
        (Posting("b", 1.25, 2, SAUCEPAN, flipped(DETAILED, 6)), "phash+image"),
        (Posting("b", 1.25, 2, SAUCEPAN, flipped(DETAILED, 7)), None),
        (Posting("b", 1, 1, BACKPACK, DETAILED), "phash+image+title"),
    ],
)
def test_evidence_is_whatever_speaks_for_a_match(fitted: "Shop", other: Posting, evidence: str | None) -> None:
    add(fitted, Posting("a", 1, 1, phash=DETAILED), other)
    found = call(fitted, "matches", sku="a")
    assert [(row.sku, row.evidence) for row in found] == ([("b", evidence)] if evidence else [])
    assert groups(fitted) == ({frozenset("ab")} if evidence else set())


def test_one_products_matches_come_best_first_with_every_distance(fitted: "Shop") -> None:
    add(
        fitted,
        Posting("a", 1, 1, phash=DETAILED),
        Posting("near", 1.1, 1.1, phash=flipped(DETAILED, 4), fields={"price": 9.5}),
        Posting("equal", 1, 1, phash=DETAILED),
        Posting("other", 2, 2, SAUCEPAN),
    )
    equal, near = call(fitted, "matches", sku="a")
    assert (equal.sku, equal.score, equal.price) == ("equal", pytest.approx(4, abs=0.01), None)
    assert (near.sku, near.phash_distance, float(near.price)) == ("near", 4, 9.5)
    assert near.image_distance == pytest.approx(0.1, abs=0.002)
    assert near.title_distance == pytest.approx(0.1, abs=0.002)
    assert near.trigram_similarity == 1
    # phash: 2 - 4/6, image: 2 - .1/.2; title: the mean of 2 - .1/.3 and 2
    assert near.score == pytest.approx(1.5 + (1.667 + 2) / 2, abs=0.02)


def test_a_lower_score_shows_what_nearly_matches(fitted: "Shop") -> None:
    add(fitted, Posting("a", 1, 1), Posting("b", 1.25, 2, SAUCEPAN))
    assert call(fitted, "matches", sku="a") == []
    [row] = call(fitted, "matches", sku="a", min_score=0.5)
    assert row.score == pytest.approx(0.75, abs=0.02)


def test_pictures_farther_apart_than_max_distance_never_match(fitted: "Shop") -> None:
    add(fitted, Posting("a", 1, 1), Posting("b", 1.1, 1), Posting("c", 2, 1))
    assert groups(fitted) == {frozenset("abc")}
    assert groups(fitted, max_distance=0.15) == {frozenset("ab")}
    assert [row.sku for row in call(fitted, "matches", sku="a", max_distance=0.15)] == ["b"]


def test_no_attribute_makes_a_match(fitted: "Shop") -> None:
    same = {
        "item_group_id": "g",
        "gtin": "4006381333931",
        "mpn": "m",
        "brand": "Acme",
        "attributes": {"label_group": "1"},
    }
    add(fitted, Posting("a", 1, 1, fields=same), Posting("b", 2, 2, SAUCEPAN, fields=same))
    assert groups(fitted) == set()
    assert call(fitted, "matches", sku="a") == []


def test_an_equal_hash_matches_products_that_wait_for_the_encoder(fitted: "Shop") -> None:
    add(fitted, Posting("a", 1, 1, phash=DETAILED), Posting("b", 2, 2, SAUCEPAN, DETAILED), encode=False)
    [row] = call(fitted, "matches", sku="a")
    assert (row.sku, row.evidence, row.image_distance, row.title_distance) == ("b", "phash", None, None)


@pytest.mark.parametrize(
    ("phash", "expected"), [(DETAILED, {frozenset("ab")}), (FLAT, set()), (None, {frozenset("ab")})]
)
def test_flat_pictures_say_nothing(fitted: "Shop", phash: str | None, expected: set[frozenset[str]]) -> None:
    add(fitted, Posting("a", 1, 1, BACKPACK, phash), Posting("b", 1, 2, SAUCEPAN, phash))
    assert groups(fitted) == expected


def test_a_picture_that_more_than_fifty_products_show_says_nothing(fitted: "Shop") -> None:
    chance = random.Random(3)
    titles = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=30)) for _ in range(51)]
    add(fitted, *(Posting(f"p{n}", 0, n + 1, title, DETAILED) for n, title in enumerate(titles)))
    assert groups(fitted) == set()
    assert call(fitted, "matches", sku="p7") == []
    fitted.run("delete from shop.product where sku = 'p0'")
    assert [len(group) for group in groups(fitted)] == [50]


@pytest.mark.parametrize(("title", "expected"), [("Flower", set()), (BACKPACK, {frozenset("ab")})])
def test_a_short_title_says_what_kind_of_thing_it_is_and_not_which(
    fitted: "Shop", title: str, expected: set[frozenset[str]]
) -> None:
    add(fitted, Posting("a", 1, 1, title), Posting("b", 2, 1, title))
    assert groups(fitted) == expected


def test_a_filter_bounds_both_sides_and_catalogs_do_not_meet(fitted: "Shop") -> None:
    add(
        fitted, Posting("a", 1, 1, fields={"brand": "x"}), Posting("b", 1, 1), Posting("c", 1, 1, fields={"brand": "x"})
    )
    add(fitted, Posting("a", 1, 1), into="outlet")
    assert groups(fitted) == {frozenset("abc")}
    assert groups(fitted, filter='{"brand": "x"}') == {frozenset("ac")}
    assert groups(fitted, catalog="outlet") == set()
    assert call(fitted, "matches", sku="a", catalog="outlet") == []


def test_a_group_is_named_by_its_smallest_product_id_and_counts_its_members(fitted: "Shop") -> None:
    add(fitted, *(Posting(sku, 1, 1) for sku in "abc"), Posting("x", 5, 5, SAUCEPAN), Posting("y", 5.1, 5, SAUCEPAN))
    rows = call(fitted, "match_products")
    assert [row.group_size for row in rows] == [3, 3, 3, 2, 2]
    for row in rows:
        assert row.group_id == min(other.product_id for other in rows if other.group_id == row.group_id)
    assert {row.title for row in rows} == {BACKPACK, SAUCEPAN}


def test_a_chain_of_things_each_like_the_next_is_not_one_group(fitted: "Shop") -> None:
    """Every step is near enough, the ends are far apart."""
    add(fitted, *(Posting(f"p{n}", 1 + n * 0.15, 10 + n, SAUCEPAN[n:] * 2) for n in range(6)))
    linked = {(row.sku, n) for n in range(6) for row in call(fitted, "matches", sku=f"p{n}")}
    assert {(f"p{n + 1}", n) for n in range(5)} <= linked
    assert max(len(group) for group in groups(fitted)) < 6


def in_python(links: list[tuple[int, int]], most: int) -> list[int]:
    """The rule of shop_private.groups in its plainest form."""
    of = {n: {n} for n in range(1, 1 + max((n for link in links for n in link), default=0))}
    near = {frozenset(link) for link in links}
    for a, b in links:
        one, two = of[a], of[b]
        crossing = sum(frozenset((x, y)) in near for x in one for y in two)
        if one is not two and len(one) + len(two) <= most and 2 * crossing >= len(one) * len(two):
            of |= dict.fromkeys(one | two, one | two)
    return [min(of[n]) for n in sorted(of)]


def test_groups_grow_from_the_strongest_link_while_half_of_the_pairs_are_linked(shop: "Shop") -> None:
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
        assert got == in_python(links, most), (case, links, most)


def test_no_links_make_no_groups(shop: "Shop") -> None:
    assert shop.value("select shop_private.groups(null, null, 50)") in (None, [])
    assert groups(shop) == set()


def test_a_group_has_at_most_so_many_members(fitted: "Shop") -> None:
    add(fitted, *(Posting(f"p{n}", 1, 1) for n in range(7)))
    assert sorted(len(group) for group in groups(fitted, max_size=3)) == [3, 3]


def test_many_products_are_looked_up_in_the_vector_indexes_and_found_like_few(fitted: "Shop") -> None:
    made = [
        Posting(f"p{n}-{copy}", n + copy * 0.04, 5000 + n + copy * 0.05, f"{n * 7919 % 10007} thing number {n * 31}")
        for n in range(700)
        for copy in range(3)
    ]
    add(fitted, *made)
    fitted.run("analyze shop.product")
    expected = {frozenset(f"p{n}-{copy}" for copy in range(3)) for n in range(700)}
    analyst = fitted.connect(Role.ANALYST).execution_options(isolation_level="READ COMMITTED")
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
    assert {row.sku for row in call(fitted, "matches", sku="p5-0")} >= {"p5-1", "p5-2"}


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
        ("match_f1", {"truth": "price"}, "is not a field that tags products"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    fitted: "Shop", function: str, arguments: dict[str, Any], message: str
) -> None:
    add(fitted, Posting("a", 1, 1))
    with pytest.raises(DatabaseError, match=message):
        call(fitted, function, **arguments)


def test_more_than_fifty_thousand_products_are_refused(fitted: "Shop") -> None:
    with fitted.database.connect(None) as conn, conn.begin():
        conn.execute(text("set local session_replication_role = replica"))
        conn.execute(
            text(
                "insert into shop.product (product_id, sku, title) select shop.product_id('s' || n), 's' || n, 't' "
                "from generate_series(1, 50001) n"
            )
        )
    with pytest.raises(StatementRefused, match="more than 50000 products match"):
        groups(fitted)


def labelled(group: int, *postings: Posting) -> list[Posting]:
    return [
        Posting(p.sku, p.picture, p.words, p.title, p.phash, {"attributes": {"label_group": str(group)}})
        for p in postings
    ]


def test_f1_is_scored_as_the_competition_does(fitted: "Shop") -> None:
    add(
        fitted,
        *labelled(1, Posting("a", 1, 1), Posting("b", 1, 1), Posting("c", 7, 7, SAUCEPAN)),  # c is missed
        *labelled(2, Posting("d", 3, 3, "telescope tripod, aluminium")),  # alone, and found alone
        Posting("e", 1, 1),  # nobody said what it is
    )
    [row] = call(fitted, "match_f1")
    assert (row.postings, row.groups) == (4, 2)
    assert row.mean_precision == 1
    assert row.mean_recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert row.mean_f1 == pytest.approx((4 / 5 + 4 / 5 + 2 / 4 + 1) / 4)


def test_a_submission_names_every_posting_with_all_that_match_it(fitted: "Shop") -> None:
    add(fitted, Posting("b", 1, 1), Posting("a", 1, 1), Posting("c", 7, 7, SAUCEPAN))
    add(fitted, Posting("z", 1, 1), into="outlet")
    assert [tuple(row) for row in call(fitted, "submission")] == [("a", "a b"), ("b", "a b"), ("c", "c")]


def test_calibration_finds_thresholds_that_fit_the_groups_and_tells_what_each_signal_is_worth(fitted: "Shop") -> None:
    """Pictures of a product are .3 apart, which is more than the threshold so far; titles say nothing."""
    chance = random.Random(5)
    titles = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz ", k=30)) for _ in range(360)]
    add(
        fitted,
        *(
            posting
            for n in range(120)
            for posting in labelled(
                n, *(Posting(f"p{n}-{c}", n + c * 0.3, 1000 + 3 * n + c, titles[3 * n + c]) for c in range(2))
            )
        ),
    )
    [before] = call(fitted, "match_f1")
    rows = {row.signals: row for row in call(fitted, "calibrate_matching", role=Role.APP)}
    assert list(rows) == ["phash", "image", "title", "all, as before", "all"]
    assert rows["all"].f1_held_out > 0.95 > 0.7 > rows["all, as before"].f1_held_out
    assert rows["image"].f1_held_out > 0.95 > 0.7 > rows["title"].f1_held_out
    assert rows["image"].title is None
    stored = dict(fitted.run("select name, value from shop.tuning"))
    assert stored == {f"match:{name}": getattr(rows["all"], name) for name in THRESHOLDS}
    assert stored["match:image"] > 0.3
    [after] = call(fitted, "match_f1")
    assert after.mean_f1 > 0.95 > before.mean_f1


def test_calibration_takes_fifty_groups(fitted: "Shop") -> None:
    add(
        fitted, *(posting for n in range(49) for posting in labelled(n, Posting(f"a{n}", n, n), Posting(f"b{n}", n, n)))
    )
    with pytest.raises(StatementRefused, match="49 groups of two or more products"):
        call(fitted, "calibrate_matching", role=Role.APP)


def test_only_the_app_calibrates(fitted: "Shop") -> None:
    with pytest.raises(DatabaseError, match="permission denied"):
        call(fitted, "calibrate_matching")


def test_thresholds_nobody_fitted_follow_from_how_far_apart_the_models_vectors_are(fitted: "Shop") -> None:
    fitted.run("delete from shop.tuning")
    add(fitted, *(Posting(f"p{n}", 1 + 0.001 * n, n) for n in range(200)))
    close, apart = fitted.run("select image, title from shop_private.match_thresholds()")[0]
    assert close < 0.02
    assert apart == pytest.approx(0.36, abs=0.04)
