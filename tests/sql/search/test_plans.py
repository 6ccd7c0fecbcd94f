"""Hand-written SQL searches use the HNSW index if many products match, and compare every match if few match.

A claim of work items, and a join with the results of a search, use an index too.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection

from db.engine import Database
from db.roles import Role
from tests.support.large_catalog import policy

if TYPE_CHECKING:
    from tests.support.shop import Shop

VECTOR = "(select shop.clip_text('bag'))"
NEAREST = f"order by image_embedding <=> {VECTOR} limit 10"


@pytest.fixture
def analyst(large: Database) -> Iterator[Connection]:
    with large.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def scans(conn: Connection, statement: str) -> tuple[set[str], str]:
    """Returns the indexes that a statement uses and the statement's whole plan as text."""
    plan = conn.exec_driver_sql(f"explain (analyze, format json) {statement}").scalar()
    found: set[str] = set()

    def walk(node: dict[str, Any]) -> None:
        if "Index Name" in node:
            found.add(node["Index Name"])
        for child in node.get("Plans", ()):
            walk(child)

    walk(plan[0]["Plan"])
    return found, str(plan)


@pytest.mark.parametrize(
    "search",
    [
        f"select sku from shop.searchable {NEAREST}",
        f"select sku, 1 - (image_embedding <=> {VECTOR}) from shop.searchable {NEAREST}",
        f"select sku from shop.searchable where price < 80 {NEAREST}",
        f"select sku from shop.searchable where product_type = 'type 1' and price < 80 {NEAREST}",
        f"select sku, position from shop.searchable_image {NEAREST}",
        f"select sku from shop.searchable order by title_embedding <=> {VECTOR} limit 10",
        "select sku from shop.searchable order by image_embedding <=> shop.clip_text('bag') limit 10",
        "select sku from shop.searchable order by image_embedding <=> (select shop.product_vector('sku 7')) limit 10",
        "select s.sku from shop.clip_text('bag') v, lateral "
        "(select sku from shop.searchable order by image_embedding <=> v limit 10) s",
    ],
)
def test_a_plain_order_by_distance_uses_the_vector_index_when_many_products_match(
    analyst: Connection, search: str
) -> None:
    found, plan = scans(analyst, search)
    assert found & {"toy_image_hnsw", "toy_title_hnsw"}, plan
    assert len(analyst.exec_driver_sql(search).all()) == 10


@pytest.mark.parametrize(
    "search",
    [
        f"select sku from shop.searchable order by 1 - (image_embedding <=> {VECTOR}) desc limit 10",
        f"select sku from shop.searchable order by image_embedding <#> {VECTOR} limit 10",
        "select sku from shop.searchable, shop.clip_text('bag') v order by image_embedding <=> v limit 10",
    ],
)
def test_order_by_clauses_that_the_documentation_warns_about_do_not_use_the_vector_index(
    analyst: Connection, search: str
) -> None:
    found, plan = scans(analyst, search)
    assert not found & {"toy_image_hnsw", "toy_title_hnsw"}, plan


@pytest.mark.parametrize("where", ["", "where price < $2"])
def test_a_prepared_statement_with_a_generic_plan_uses_the_vector_index(analyst: Connection, where: str) -> None:
    analyst.exec_driver_sql("set plan_cache_mode = force_generic_plan")
    analyst.exec_driver_sql(
        f"prepare nearest(text, numeric) as select sku from shop.searchable {where} "
        "order by image_embedding <=> (select shop.clip_text($1)) limit 10"
    )
    found, plan = scans(analyst, "execute nearest('bag', 80)")
    assert "toy_image_hnsw" in found, plan


def test_a_search_under_row_level_security_uses_the_vector_index(large: Database, analyst: Connection) -> None:
    with policy(large, "price < 120"):
        found, plan = scans(analyst, f"select sku from shop.searchable {NEAREST}")
        assert "toy_image_hnsw" in found, plan
        rows = analyst.exec_driver_sql(f"select price from shop.searchable {NEAREST}").all()
        assert len(rows) == 10
        assert max(row.price for row in rows) < 120


def test_a_filter_that_few_products_match_is_answered_exactly_and_with_every_match(analyst: Connection) -> None:
    search = f"select sku from shop.searchable where product_type = 'rare' {NEAREST}"
    found, plan = scans(analyst, search)
    assert "product_product_type_idx" in found, plan
    assert not found & {"toy_image_hnsw", "toy_title_hnsw"}, plan
    assert len(analyst.exec_driver_sql(search).all()) == 10  # all 10 matches: every 2,000th of 20,000 products


@pytest.mark.parametrize("limit", [10, 100, 500])
def test_a_filtered_search_in_a_new_session_returns_as_many_rows_as_its_limit(large: Database, limit: int) -> None:
    with large.connect(Role.ANALYST) as conn:
        search = f"select sku from shop.searchable where price < 8 order by image_embedding <=> {VECTOR} limit {limit}"
        conn.exec_driver_sql("set local enable_sort = off")  # so that PostgreSQL does not choose the exact plan
        found, plan = scans(conn, search)
        assert "toy_image_hnsw" in found, plan
        assert conn.exec_driver_sql("show hnsw.iterative_scan").scalar() == "relaxed_order"
        assert len(conn.exec_driver_sql(search).all()) == limit
        conn.exec_driver_sql("set local hnsw.iterative_scan = off")
        assert len(conn.exec_driver_sql(search).all()) < limit  # without iterative scans, too few rows are returned


def test_an_index_search_finds_at_least_nine_of_the_ten_nearest_products(analyst: Connection) -> None:
    nearest = [row.sku for row in analyst.exec_driver_sql(f"select sku from shop.searchable {NEAREST}")]
    analyst.exec_driver_sql("set enable_indexscan = off")
    exact = [row.sku for row in analyst.exec_driver_sql(f"select sku from shop.searchable {NEAREST}")]
    assert len(set(nearest) & set(exact)) >= 9


def test_a_claim_finds_the_next_batch_among_20000_work_items_without_a_sort(shop: "Shop") -> None:
    shop.run(
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id('sku ' || n), 'sku ' || n, 'title' from generate_series(1, 20000) n"
    )
    shop.run("analyze shop_private.work")
    plan = shop.value(
        "explain (format json) select ctid from shop_private.work w where w.model_id = 1 and w.part = 'title' "
        "and w.state = 'pending' and w.host is null and w.batch_limit is null and w.due_at <= clock_timestamp() "
        "order by w.due_at limit 128 for update skip locked"
    )
    assert "work_due_idx" in str(plan)
    assert "'Sort'" not in str(plan)


@pytest.mark.parametrize(
    "join",
    [
        "select p.description from shop.search('bag') s join shop.product p using (product_id)",
        "select i.uri from shop.similar('sku 7') s join shop.product_image i using (product_id)",
        "select p.description from shop.browse() s join shop.product p using (product_id)",
        "select p.description from shop.matches('sku 7') s join shop.product p using (product_id)",
    ],
)
def test_a_join_with_search_results_reads_the_joined_table_by_an_index(analyst: Connection, join: str) -> None:
    """The functions declare how many rows they return. Otherwise PostgreSQL would expect 1,000 rows and read the whole
    joined table."""
    found, plan = scans(analyst, join)
    assert found & {"product_pkey", "product_image_pkey"}, plan
    assert "Seq Scan" not in plan
