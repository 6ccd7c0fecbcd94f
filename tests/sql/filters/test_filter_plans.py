"""The query plan of a compiled filter uses the index of the filtered field. The functions that compile filters are
parallel safe and not volatile."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.databases import ROLES, Databases
from tests.support.filtering import Session, compiled


@pytest.fixture(scope="module")
def analyst(databases: Databases, template: str) -> Iterator[Session]:
    """Yields an analyst's session with default planner settings in a database of 5,000 products."""
    database = databases.copy(template)
    with psycopg.connect(databases.admin_url(str(database.write.database)), autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(
            "insert into shop.product (product_id, sku, title, brand, product_type, price, attributes) "
            "select shop.product_id('sku ' || n), 'sku ' || n, 'title ' || md5(n::text), 'brand ' || n % 200, "
            "'type ' || n % 100, n, jsonb_build_object('code', 'c' || n % 500, 'dim', jsonb_build_object('width', n)) "
            "from generate_series(1, 5000) n"
        )
        conn.execute("update shop.product set sale_price = price / 2 where price % 50 = 0")
        conn.execute("vacuum analyze shop.product")
        conn.execute(f"set role {ROLES.analyst}")
        yield conn


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"product_type": "type 7"}, "product_product_type_idx"),
        ({"product_type": ["type 7", "type 8"]}, "product_product_type_idx"),
        ({"brand": {"in": ["brand 7", "brand 8"]}}, "product_brand_idx"),
        ({"brand": {"gte": "brand 7", "lt": "brand 70"}}, "product_brand_idx"),
        ({"price": {"lt": 80}}, "product_price_idx"),
        ({"price": {"in": [79.5, 80]}}, "product_price_idx"),
        ({"effective_price": {"lt": 80}}, "product_price_idx"),
        ({"effective_price": {"lt": 80}}, "product_sale_price_idx"),
        ({"effective_price": {"in": [79.5, None]}}, "product_sale_price_idx"),
        ({"attributes.code": "c7"}, "product_attributes_idx"),
        ({"attributes.code": {"in": ["c7", "c8"]}}, "product_attributes_idx"),
        ({"attributes.dim.width": 7}, "product_attributes_idx"),
        ({"attributes.dim.width": {"eq": [7]}}, "product_attributes_idx"),
        ({"attributes.dim": {"contains": 7}}, "product_attributes_idx"),
        ({"title": {"contains": "A87FF6"}}, "product_title_trgm_idx"),
        ({"title": {"prefix": "Title 8F14"}}, "product_title_trgm_idx"),
        ({"or": [{"product_type": "type 7"}, {"attributes.code": "c8"}]}, "product_attributes_idx"),
    ],
)
def test_a_condition_uses_the_index_of_its_field(analyst: Session, wanted: Any, index: str) -> None:
    condition = compiled(analyst, wanted)
    row = analyst.execute(f"explain (format json) select p.sku from shop.product p where {condition}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    assert index in re.findall(r"'Index Name': '(\w+)'", str(row[0])), (condition, row[0])


def test_the_filter_functions_are_parallel_safe_and_not_volatile(analyst: Session) -> None:
    rows = analyst.execute(
        "select distinct provolatile = 'v', proparallel, prosecdef from pg_proc where proname like 'filter\\_%'"
    ).fetchall()
    assert rows == [(False, "s", False)]
    analyst.execute("set debug_parallel_query = on")
    try:
        assert "80" in compiled(analyst, {"price": {"lt": 80}, "created_at": {"gt": "2026-01-31"}})
    finally:
        analyst.execute("reset debug_parallel_query")
