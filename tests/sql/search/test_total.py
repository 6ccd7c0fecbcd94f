"""A search returns the number of products that match the filter, and says whether there is a next page."""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection

from db.roles import Role
from db.search import ranking
from db.search.ranking import NOTICE_LEVEL, SearchParams, SearchResult

if TYPE_CHECKING:
    from tests.support.shop import Shop

LEGS: dict[str, dict[str, Any]] = {
    "all legs": {},
    "images alone": {"title_weight": 0, "keyword_weight": 0},
    "keywords alone": {"image_weight": 0, "title_weight": 0},
}


@pytest.fixture
def analyst(shop: "Shop") -> Iterator[Connection]:
    shop.cache("bag")
    with shop.database.connect(Role.ANALYST) as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        conn.exec_driver_sql(f"set client_min_messages = {NOTICE_LEVEL}")
        yield conn


def add(shop: "Shop", count: int, *, encode: bool = True) -> None:
    from tests.support import shop as toy

    shop.load(*(toy.product(f"s{n}", f"bag {n}", color="red" if n % 2 else "blue") for n in range(count)))
    if encode:
        shop.encode_all()


def pages(conn: Connection, **options: Any) -> list[SearchResult]:
    found = [ranking.search(conn, SearchParams(query="bag", **options))]
    while after := found[-1].next:
        found.append(ranking.search(conn, SearchParams(query="bag", **options, after=after)))
        assert len(found) < 100
    return found


@pytest.mark.parametrize("count", [0, 3])
def test_the_total_is_0_and_exact_when_no_product_matches_the_filter(
    shop: "Shop", analyst: Connection, count: int
) -> None:
    add(shop, count)
    filters = ['{"color": "green"}', '{"price": {"lt": 1}}', *([None] if count == 0 else [])]
    for legs, route, filter_ in product(LEGS, [None, "exact", "hnsw"], filters):
        asked = SearchParams(query="bag", filter=filter_, degrade=True, route=route, **LEGS[legs])
        found = ranking.search(analyst, asked)
        assert (found.rows, found.total, found.total_is, found.next) == ([], 0, "exact", None), asked
        assert found.route == ("keyword" if legs == "keywords alone" else found.route) is not None, asked


def test_the_total_includes_products_that_min_similarity_removes(shop: "Shop", analyst: Connection) -> None:
    add(shop, 3)
    shop.cache("unlike every image", seed=99)
    asked = SearchParams(query="unlike every image", filter='{"color": "blue"}', min_similarity=1)
    found = ranking.search(analyst, asked)
    assert (found.rows, found.total, found.total_is) == ([], 2, "exact")


def test_the_last_page_has_no_next_page_even_when_it_is_full(shop: "Shop", analyst: Connection) -> None:
    count = 12
    add(shop, count)
    for legs, k, filter_ in product(LEGS, (4, 12, 5, 11, 20), (None, '{"color": ["red", "blue"]}')):
        found = pages(analyst, k=k, filter=filter_, **LEGS[legs])
        assert len(found) == -(-count // k), (legs, k, filter_)
        assert [len(page.rows) for page in found[:-1]] == [k] * (len(found) - 1), (legs, k, filter_)
        assert {hit.sku for page in found for hit in page.rows} == {f"s{n}" for n in range(count)}, (legs, k, filter_)
        totals = {(hit.total, hit.total_is) for page in found for hit in page.rows}
        assert totals == {(count, "exact")}, (legs, k, filter_)


def test_an_empty_page_after_the_last_page_has_the_total(shop: "Shop", analyst: Connection) -> None:
    add(shop, 3)
    [page] = pages(analyst)
    behind = ranking.search(analyst, SearchParams(query="bag", after=page.rows[-1].cursor))
    assert (behind.rows, behind.total, behind.total_is) == ([], 3, "exact")


def test_the_total_is_exact_when_most_table_pages_contain_only_deleted_products(
    shop: "Shop", analyst: Connection
) -> None:
    add(shop, 400)
    shop.run("delete from shop.product")
    shop.run("select pg_stat_force_next_flush()")
    add(shop, 12)
    for k in (4, 12, 20):
        for page in pages(analyst, k=k, **LEGS["images alone"]):
            assert {(hit.total, hit.total_is) for hit in page.rows} == {(12, "exact")}


@pytest.mark.parametrize("left", [0, 12])
@pytest.mark.parametrize("counted", [False, True])
def test_the_total_is_exact_when_the_statistics_were_taken_before_a_mass_deletion(
    shop: "Shop", analyst: Connection, left: int, counted: bool
) -> None:
    add(shop, 400)
    shop.run("update pg_class set reltuples = 30000, relpages = 1 where oid = 'shop.product'::regclass")
    shop.run("delete from shop.product")
    if counted:
        shop.run("select pg_stat_force_next_flush()")
    add(shop, left)
    for legs, weights in LEGS.items():
        [page] = pages(analyst, k=20, **weights)
        assert (page.total, page.total_is, len(page.rows)) == (left, "exact", left), legs
    shop.run("analyze shop.product")


def test_the_total_counts_products_without_a_vector(shop: "Shop", analyst: Connection) -> None:
    add(shop, 5, encode=False)
    [page] = pages(analyst)
    assert {(hit.total, hit.total_is) for hit in page.rows} == {(5, "exact")}
    assert len(page.rows) == 5


@pytest.mark.parametrize("filter_", [None, '{"color": "red"}'])
def test_the_total_is_never_below_the_number_of_rows_when_statistics_are_wrong(
    shop: "Shop", analyst: Connection, filter_: str | None
) -> None:
    add(shop, 400)
    for tuples in (0, 0.001, 1e6):
        shop.run(
            "update pg_class set reltuples = :tuples, relpages = 1000 "
            "where oid in ('shop.product'::regclass, 'shop.toy_title'::regclass)",
            tuples=tuples,
        )
        for k, page in ((10, 0), (300, 0), (150, 1)):
            found = pages(analyst, k=k, filter=filter_)[page]
            assert len(found.rows) <= (found.total or 0)
            assert found.rows[-1].rank <= (found.total or 0)
            assert found.total_is != "exact" or found.total == (400 if filter_ is None else 200)
    shop.run("analyze shop.product, shop.toy_title")
