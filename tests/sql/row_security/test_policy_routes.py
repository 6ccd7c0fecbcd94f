"""In a catalog of 20,000 products, a search under a row policy is complete and uses the expected plan, whether the role
sees a third, a 21st or a thousandth of the products."""

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import Connection, text

from db.engine import Database
from db.roles import Role
from tests.sql.search.test_search_routes import plans
from tests.support.large_catalog import CLUSTER, PRODUCTS, QUERY, calibration, policy, query_vector, vectors

N = np.arange(1, PRODUCTS + 1)
SHARES = {"third": N % 3 == 0, "21st": N % 21 == 0, "thousandth": N % 1000 == 0}
# Each policy depends on a setting of the session.
LIST = (
    "exists (select from site.price_list l where l.product_id = product.product_id "
    "and l.customer = current_setting('site.customer', true))"
)
COLUMN = "mod(substr(sku, 5)::integer, current_setting('site.modulus')::integer) = 0"
MODULUS = {"third": 3, "21st": 21, "thousandth": 1000}
SCANS_VECTORS_ALONE = "select shop_private.scan_condition('true', 'shop.toy_image') is null"
SEARCH = f"select sku, total, total_is, complete from shop.search('{QUERY}', title_weight => 0, keyword_weight => 0)"


@pytest.fixture(scope="module", autouse=True)
def price_lists(large: Database) -> Iterator[None]:
    """Stores the price lists of four customers, and a calibration with which up to 700 matches are compared."""
    with large.connect(None) as conn, conn.begin():
        conn.exec_driver_sql(
            "create schema site; create table site.price_list (customer text, product_id uuid, "
            "primary key (customer, product_id)); grant usage on schema site to shop_analyst; "
            "grant select on site.price_list to shop_analyst; "
            "insert into site.price_list select c.name, shop.product_id('sku ' || n) from generate_series(1, 20000) n, "
            "(values ('third', 3), ('21st', 21), ('thousandth', 1000)) c(name, every) where mod(n, c.every) = 0; "
            "insert into site.price_list select 'other', shop.product_id('sku ' || n) from generate_series(1, 9000) n"
        )
        conn.exec_driver_sql(calibration())
        conn.exec_driver_sql("analyze site.price_list")
    yield
    with large.connect(None) as conn, conn.begin():
        conn.exec_driver_sql("drop schema site cascade; delete from shop.calibration")


@pytest.fixture
def analyst(large: Database) -> Iterator[Connection]:
    with large.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def become(conn: Connection, customer: str) -> None:
    conn.exec_driver_sql(f"set site.customer = '{customer}'; set site.modulus = '{MODULUS[customer]}'")


def nearest(seen: np.ndarray, k: int = 10) -> set[str]:
    similarity = np.where(seen, vectors(0) @ query_vector(), -2)
    return {f"sku {n + 1}" for n in np.argsort(-similarity)[:k]}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("condition", [LIST, COLUMN], ids=["list", "column"])
def test_a_search_finds_at_least_9_of_the_10_nearest_products_that_the_role_sees(
    large: Database, analyst: Connection, condition: str, share: str
) -> None:
    become(analyst, share)
    with policy(large, condition):
        rows = analyst.exec_driver_sql(SEARCH).all()
    assert len({row.sku for row in rows} & nearest(SHARES[share])) >= 9
    assert all(int(row.sku[4:]) % MODULUS[share] == 0 for row in rows)
    assert all(row.complete for row in rows)
    exact = int(SHARES[share].sum())
    assert rows[0].total == exact if rows[0].total_is == "exact" else rows[0].total <= exact
    assert share != "thousandth" or rows[0].total_is == "exact"


def test_a_search_is_exact_under_a_policy_that_hides_the_products_nearest_to_the_query(
    large: Database, analyst: Connection
) -> None:
    far = "brand in ('brand 20', 'brand 21', 'brand 22')"
    assert CLUSTER not in (20, 21, 22)
    with policy(large, far):
        rows = analyst.exec_driver_sql(SEARCH).all()
    seen = np.isin(N % 50, [20, 21, 22])
    assert {row.sku for row in rows} == nearest(seen)
    assert rows[0].total == seen.sum()


@pytest.mark.parametrize("share", SHARES)
def test_a_search_under_a_policy_with_a_price_list_reads_the_list_by_index(large: Database, share: str) -> None:
    setup = f"set site.customer = '{share}'; set site.modulus = '1'"
    with policy(large, LIST), plans(large, SEARCH, setup) as seen:
        statements = seen.split("Query Text:")
    collecting = [one for one in statements if "select array_agg(m.product_id)" in one]
    scanning = [one for one in statements if "Index Scan using toy_image_hnsw" in one]
    assert (len(scanning) > 0) == (share != "thousandth"), seen
    assert collecting or share != "thousandth", seen
    for one in collecting + scanning:
        assert "price_list_pkey" in one, one
        assert "hashed SubPlan" not in one, one
        assert "Seq Scan on product" not in one, one
    # The policy of the vectors, windowshop_follow, has already tested the products. So no scan joins shop.product.
    assert not any("join shop.product" in one for one in scanning), seen


@pytest.mark.parametrize("far", ["true", f"brand <> 'brand {CLUSTER}'"], ids=["near", "far"])
def test_a_search_finds_no_hidden_product_if_the_policy_of_vectors_does_not_follow_products(
    large: Database, analyst: Connection, far: str
) -> None:
    become(analyst, "third")
    seen = SHARES["third"] & ((far == "true") | (N % 50 != CLUSTER))
    with policy(large, f"{COLUMN} and {far}"), large.connect(None) as conn:
        assert analyst.exec_driver_sql(SCANS_VECTORS_ALONE).scalar_one()
        for statement in (
            "alter policy windowshop_follow on shop.toy_image to shop_app",
            "alter policy windowshop_follow on shop.toy_image to public using (product_id is not null)",
            "drop policy windowshop_follow on shop.toy_image",
            "alter table shop.toy_image disable row level security",
        ):
            conn.exec_driver_sql(statement)
            conn.commit()
            assert not analyst.exec_driver_sql(SCANS_VECTORS_ALONE).scalar_one()
            rows = analyst.exec_driver_sql(SEARCH).all()
            assert len({row.sku for row in rows} & nearest(seen)) >= 9
            assert seen[[int(row.sku[4:]) - 1 for row in rows]].all()


def test_a_search_finds_products_if_the_policy_names_a_schema_that_the_role_may_not_use(
    large: Database, analyst: Connection
) -> None:
    become(analyst, "thousandth")
    with policy(large, LIST):
        assert "price_list" in analyst.execute(text("select shop_private.visible_products()")).scalar_one()
        with large.connect(None) as conn, conn.begin():
            conn.exec_driver_sql("revoke usage on schema site from shop_analyst")
        try:
            assert analyst.execute(text("select shop_private.visible_products()")).scalar_one() == "shop.product"
            rows = analyst.exec_driver_sql(SEARCH).all()
        finally:
            with large.connect(None) as conn, conn.begin():
                conn.exec_driver_sql("grant usage on schema site to shop_analyst")
    assert {row.sku for row in rows} == nearest(SHARES["thousandth"])


def test_a_permissive_policy_adds_products_and_a_restrictive_policy_removes_products(
    large: Database, analyst: Connection
) -> None:
    become(analyst, "thousandth")
    with policy(large, LIST), large.connect(None) as conn:
        for kind, expected in (
            ("permissive", SHARES["thousandth"] | (N % 500 == 0)),
            ("restrictive", SHARES["thousandth"] & (N % 500 == 0)),
        ):
            conn.exec_driver_sql(
                f"create policy other on shop.product as {kind} using (mod(substr(sku, 5)::integer, 500) = 0)"
            )
            conn.commit()
            rows = analyst.exec_driver_sql(SEARCH).all()
            conn.exec_driver_sql("drop policy other on shop.product")
            conn.commit()
            assert {row.sku for row in rows} == nearest(expected, min(10, int(expected.sum())))
            assert rows[0].total == expected.sum()
