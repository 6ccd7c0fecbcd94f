"""In a site with more than 100,000 products, the coverage views estimate their numbers from a sample. They count only
the work list exactly.

The database has 20,000 products, but its statistics are changed so that it seems to have six times as many.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from db.engine import Database
from db.lifecycle.serving import Coverage
from db.lifecycle.serving import coverage as coverage_of_catalogs
from db.lifecycle.status import PartCoverage, coverage

PRODUCTS = 120_000


@pytest.fixture
def conn(large: Database) -> Iterator[Connection]:
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.exec_driver_sql(
            f"update pg_class set reltuples = {PRODUCTS}, relpages = pg_relation_size(oid) / 8192 "
            "where oid in ('shop.product'::regclass, 'shop.product_image'::regclass)"
        )
        yield conn
        transaction.rollback()


def rows_read(conn: Connection) -> int:
    tables = "array['shop.product', 'shop.product_image', 'shop.toy_image', 'shop.toy_title']::regclass[]"
    return conn.exec_driver_sql(f"select sum(shop_private.rows_read(t)) from unnest({tables}) t").scalar() or 0


def test_complete_encoding_is_reported_from_a_sample(conn: Connection) -> None:
    before = rows_read(conn)
    [row] = coverage_of_catalogs(conn)
    assert row == Coverage("main", "toy", "serving", PRODUCTS, PRODUCTS, 0, 0, 0, 0, "about")
    part = PartCoverage(PRODUCTS, PRODUCTS, 0, 0, 0, "about")
    assert coverage(conn) == {"toy": {"image": part, "title": part}}
    assert 500 < rows_read(conn) - before < 5 * PRODUCTS / 6


def test_the_work_list_is_counted(conn: Connection) -> None:
    listed = "select product_id, 1, 'title', {} from shop.product where sku in ('sku 1', 'sku 2', 'sku {}')"
    conn.exec_driver_sql("delete from shop.toy_title where product_id in (select product_id from shop.product "
                         "where sku in ('sku 1', 'sku 2', 'sku 3', 'sku 4'))")  # fmt: skip
    insert = "insert into shop_private.work (product_id, model_id, part, state, error) "
    conn.exec_driver_sql(insert + listed.format("'pending', null", 3))
    conn.exec_driver_sql(insert + "select shop.product_id('sku 4'), 1, 'title', 'quarantined', 'unreadable'")
    [row] = coverage_of_catalogs(conn)
    assert (row.waiting, row.quarantined, row.counts_are) == (3, 1, "about")
    assert row.searchable + row.waiting + row.quarantined + row.without_picture == row.products == PRODUCTS
    assert coverage(conn)["toy"]["title"] == PartCoverage(PRODUCTS, PRODUCTS - 4, 3, 0, 1, "about")


def test_products_with_neither_a_vector_nor_a_work_item_are_estimated_as_waiting(conn: Connection) -> None:
    conn.exec_driver_sql("delete from shop.toy_title where get_byte(uuid_send(product_id), 15) < 64")
    [row] = coverage_of_catalogs(conn)
    assert row.waiting == pytest.approx(PRODUCTS / 4, rel=0.25)
    assert row.searchable + row.waiting == row.products
    assert coverage(conn)["toy"]["title"].waiting == pytest.approx(PRODUCTS / 4, rel=0.25)


def test_all_items_are_counted_if_exact_numbers_are_requested(conn: Connection) -> None:
    exact = coverage(conn, exact=True)["toy"]["title"]
    assert exact == PartCoverage(20_000, 20_000, 0, 0, 0, "exact")
