"""With cut => 'relevant', a search and its facets count the same products.

A product passes the cut if its image or its title is similar to the query or if it has a word of the query.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, text

from db.errors import StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

PRODUCTS = 300
MEANING = 20  # of the 24 numbers of a product's vector, only the first 20 are not 0
NEAR_IMAGES, NEAR_TITLES, WORDS = range(10), range(8, 14), range(20, 25)


def _stock(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(
        *(
            product(
                f"s{n}",
                f"{'lamp' if n in WORDS else 'thing'} {n}",
                price=n,
                brand=f"brand {n % 3}",
                product_type="a" if n % 2 else "b",
                image_count=2 if n == 3 else 1,
            )
            for n in range(PRODUCTS)
        )
    )
    for part, made in _vectors().items():
        position = "position, " if part == "image" else ""
        for n, vector in enumerate(made):
            shop.run(
                f"insert into shop.toy_{part} (product_id, {position}source, embedding) values "
                f"(shop.product_id('s{n}'), {'0, ' if position else ''}'s', cast('{vector.tolist()}' as halfvec))"
            )
    for query, vector in (("lamp", _lamp()), ("qzxv", _meaningless())):
        shop.cache(query)
        shop.run(f"update shop_private.query_embedding set embedding = '{vector.tolist()}' where query = '{query}'")
    shop.run("analyze shop.product, shop.toy_image, shop.toy_title")


@pytest.fixture
def stocked(filled_shop: "Callable[[Callable[[Shop], None]], Shop]") -> "Shop":
    """Returns a shop with 300 products and random vectors. The images of NEAR_IMAGES and the titles of NEAR_TITLES are
    similar to the query "lamp". The titles of the products in WORDS contain the word "lamp"."""
    return filled_shop(_stock)


def _lamp() -> NDArray[np.float32]:
    return _in_catalog(_random(1, seed=1))[0]


def _meaningless() -> NDArray[np.float32]:
    """Returns a vector for a text without meaning. Most of the vector's length is in dimensions in which the
    vectors of all products are 0."""
    [vector] = _random(1, seed=77)
    vector[:MEANING] *= 0.2
    return vector / np.linalg.norm(vector)


def _in_catalog(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = vectors.copy()
    vectors[:, MEANING:] = 0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _random(count: int, seed: int) -> NDArray[np.float32]:
    from tests.support.shop import unit_vectors

    return unit_vectors(count, seed=seed)


def _vectors() -> dict[str, NDArray[np.float32]]:
    made = {}
    for seed, (part, near) in enumerate((("image", NEAR_IMAGES), ("title", NEAR_TITLES)), 5):
        vectors = _in_catalog(_random(PRODUCTS, seed))
        vectors[list(near)] = _in_catalog(_lamp() + 0.3 * vectors[list(near)])
        made[part] = vectors
    return made


def passing(conn: Connection) -> dict[str, set[int]]:
    """Returns, for each leg, the products that pass the cut of the query "lamp". numpy computes the similarities."""
    [note] = [row.note for row in call(conn, "explain_search", query="lamp", cut="relevant") if row.step == "cut"]
    found = {"words": set(WORDS)}
    for part, vectors in _vectors().items():
        count, floor = re.findall(rf"(\d+) have an? {part} of similarity (-?[\d.]+) or more", note)[0]
        found[part] = set(np.flatnonzero(vectors @ _lamp() >= float(floor)).tolist())
        assert len(found[part]) == int(count)
    assert found["image"] > set(NEAR_IMAGES)
    assert found["title"] > set(NEAR_TITLES)
    return found


def every(conn: Connection) -> set[int]:
    return set[int]().union(*passing(conn).values())


@pytest.fixture
def analyst(stocked: "Shop") -> Iterator[Connection]:
    with stocked.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def call(conn: Connection, function: str, **named: Any) -> list[Row[Any]]:
    given = ", ".join(f"{name} => :{name}" for name in named)
    return list(conn.execute(text(f"select * from shop.{function}({given})"), named).all())


def skus(rows: list[Row[Any]]) -> set[str]:
    return {row.sku for row in rows}


def test_the_cut_keeps_products_with_a_similar_image_a_similar_title_or_a_word_of_the_query(
    analyst: Connection,
) -> None:
    rows = call(analyst, "search", query="lamp", k=1000, cut="relevant")
    kept = every(analyst)
    assert len(kept) < PRODUCTS / 2
    assert skus(rows) == {f"s{n}" for n in kept}
    assert {(row.total, row.total_is) for row in rows} == {(len(kept), "exact")}
    uncut = [row.sku for row in call(analyst, "search", query="lamp", k=PRODUCTS)]
    assert len(uncut) == PRODUCTS
    assert [row.sku for row in rows] == [sku for sku in uncut if sku in skus(rows)]


def test_a_search_without_a_cut_returns_dissimilar_products_too(analyst: Connection) -> None:
    rows = call(analyst, "search", query="qzxv", k=30)
    assert len(rows) == 30
    assert {row.total for row in rows} == {PRODUCTS}
    assert call(analyst, "search", query="qzxv", k=30, cut=None) == rows
    assert "cut" not in {row.step for row in call(analyst, "explain_search", query="qzxv")}


def test_the_total_of_a_cut_depends_on_neither_the_order_of_rows_nor_statistics(
    analyst: Connection, stocked: "Shop"
) -> None:
    """A cut measures the usual similarity in a sample of 1,000 vectors, and this catalog has more. Neither the order of
    the rows in the tables nor the planner's statistics change the total."""
    more = "from generate_series(1, 1500) n, shop.product_id('more ' || n) id"
    stocked.run(f"insert into shop.product (product_id, sku, title) select id, 'more ' || n, 'more' {more}")
    stocked.run(f"insert into shop.product_image (product_id, position, uri) select id, 0, 'https://a.example' {more}")
    numbers = "(select array_agg(hashtext(n || ' ' || i) / 2e9 * (i <= 20)::integer) from generate_series(1, 24) i)"
    for table, position in (("toy_image", "position, "), ("toy_title", "")):
        stocked.run(
            f"insert into shop.{table} (product_id, {position}source, embedding) select id, "
            f"{position and '0, '}'s', public.l2_normalize({numbers}::real[]::public.vector)::public.halfvec {more}"
        )
    totals = []
    for change in (
        "select 1",
        "update shop.toy_image set source = 's' where (product_id::text > '8')",
        "update shop.toy_title set source = 's' where (product_id::text < 'a')",
        "analyze shop.toy_image, shop.toy_title, shop.product",
    ):
        stocked.run(change)
        [row] = call(analyst, "search", query="lamp", k=1, cut="relevant")
        totals.append((row.total, row.total_is))
    assert set(totals) == {(totals[0][0], "exact")}


def test_a_filter_and_a_cut_together_count_the_products_that_pass_both(analyst: Connection) -> None:
    rows = call(analyst, "search", query="lamp", k=1000, cut="relevant", filter='{"product_type": "a"}')
    assert skus(rows) == {f"s{n}" for n in every(analyst) if n % 2}
    assert {(row.total, row.total_is) for row in rows} == {(len(rows), "exact")}


def test_no_product_passes_the_cut_by_a_leg_with_weight_0(analyst: Connection) -> None:
    found = {
        leg: skus(call(analyst, "search", query="lamp", k=1000, cut="relevant", **weights))
        for leg, weights in {
            "image": {"title_weight": 0, "keyword_weight": 0},
            "title": {"image_weight": 0, "keyword_weight": 0},
            "keyword": {"image_weight": 0, "title_weight": 0},
        }.items()
    }
    expected = passing(analyst)
    assert found == {
        "image": {f"s{n}" for n in expected["image"]},
        "title": {f"s{n}" for n in expected["title"]},
        "keyword": {f"s{n}" for n in WORDS},
    }


def test_pages_of_a_cut_search_contain_each_passing_product_once(analyst: Connection) -> None:
    whole = [row.sku for row in call(analyst, "search", query="lamp", k=1000, cut="relevant")]
    found, after = [], None
    while True:
        rows = call(analyst, "search", query="lamp", k=7, cut="relevant", after=after)
        found += [row.sku for row in rows]
        assert {row.total for row in rows} == {len(whole)}
        if not rows[-1].has_next:
            break
        after = rows[-1].cursor
    assert sorted(found) == sorted(whole)


def test_a_search_with_a_cut_refuses_the_cursor_of_a_search_without_a_cut(analyst: Connection) -> None:
    [first, *_] = call(analyst, "search", query="lamp", k=5)
    with pytest.raises(StatementRefused, match="the cursor belongs to another search"):
        call(analyst, "search", query="lamp", k=5, cut="relevant", after=first.cursor)


@pytest.mark.parametrize("function", ["search", "explain_search", "facets"])
def test_an_unknown_cut_is_refused(analyst: Connection, function: str) -> None:
    with pytest.raises(StatementRefused, match="there is no cut 'good'") as refused:
        call(analyst, function, query="lamp", cut="good")
    assert refused.value.hint == "cut is relevant, or null to keep every product."


def test_a_query_without_similar_products_finds_no_product_and_explain_shows_the_cut(analyst: Connection) -> None:
    assert call(analyst, "search", query="qzxv", cut="relevant") == []
    steps = {row.step: row for row in call(analyst, "explain_search", query="qzxv", cut="relevant")}
    assert (steps["cut"].found, steps["cut"].route) == (0, "relevant")
    assert f"of {PRODUCTS} (" in steps["cut"].note


def test_explain_shows_how_many_products_pass_the_cut_by_each_leg(analyst: Connection) -> None:
    steps = {row.step: row for row in call(analyst, "explain_search", query="lamp", cut="relevant")}
    assert steps["cut"].found == len(every(analyst))  # every() also checks the counts of similar images and titles
    assert f"{len(WORDS)} have a word of the query" in steps["cut"].note


def facets(conn: Connection, **named: Any) -> dict[str, dict[str | None, int]]:
    rows = call(conn, "facets", **named)
    found: dict[str, dict[str | None, int]] = {}
    for row in rows:
        found.setdefault(row.field, {})[row.value if row.kind == "value" else f"{row.low}"] = row.products
    return found


def test_facets_with_a_cut_count_the_products_of_the_search(analyst: Connection) -> None:
    kept = every(analyst)
    found = facets(analyst, query="lamp", cut="relevant")
    assert found["product_type"] == Counter("a" if n % 2 else "b" for n in kept)
    assert found["brand"] == Counter(f"brand {n % 3}" for n in kept)
    assert sum(found["price"].values()) == len(kept)


def test_a_facet_with_a_cut_ignores_only_the_filter_on_its_own_field(analyst: Connection) -> None:
    kept = every(analyst)
    filter_ = {"product_type": "a", "price": {"lt": 12}}
    found = facets(analyst, query="lamp", cut="relevant", filter=json.dumps(filter_))
    assert found["product_type"] == Counter("a" if n % 2 else "b" for n in kept if n < 12)
    assert found["brand"] == Counter(f"brand {n % 3}" for n in kept if n % 2 and n < 12)
    for value, products in found["brand"].items():
        narrowed = json.dumps({**filter_, "brand": value})
        [row, *_] = call(analyst, "search", query="lamp", k=1, cut="relevant", filter=narrowed)
        assert (row.total, row.total_is) == (products, "exact")


def test_a_cut_does_not_change_facets_without_a_query(analyst: Connection) -> None:
    for query in (None, "", " "):
        assert facets(analyst, query=query, cut="relevant") == facets(analyst)


def test_facets_of_a_cut_search_do_not_count_the_product_that_is_the_query(analyst: Connection) -> None:
    inputs = '[{"sku": "s1"}]'
    rows = call(analyst, "search", inputs=inputs, cut="relevant", k=100)
    assert rows
    assert "s1" not in skus(rows)
    found = facets(analyst, inputs=inputs, cut="relevant")
    assert sum(found["product_type"].values()) == len(rows) == rows[0].total


def test_a_degraded_search_is_cut_to_the_products_with_a_word_of_the_query(analyst: Connection) -> None:
    rows = call(analyst, "search", query="lamp never encoded", cut="relevant", degrade=True, k=100)
    assert skus(rows) == {f"s{n}" for n in WORDS}
    assert {(row.total, row.complete) for row in rows} == {(len(WORDS), False)}
    found = facets(analyst, query="lamp never encoded", cut="relevant", degrade=True)
    assert sum(found["product_type"].values()) == len(WORDS)


def test_a_product_found_by_a_misspelt_word_passes_the_cut(analyst: Connection, stocked: "Shop") -> None:
    stocked.run("update shop.product set title = 'chandelier' where sku = 's200'")
    rows = call(analyst, "search", query="chandelir", cut="relevant", degrade=True)
    assert skus(rows) == {"s200"}
    assert sum(facets(analyst, query="chandelir", cut="relevant", degrade=True)["product_type"].values()) == 1
