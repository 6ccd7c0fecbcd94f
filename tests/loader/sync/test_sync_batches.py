"""`--sync` changes 40,000 products in batches. Like a load, a sync locks products in the order of product_id."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from loader.sync import MissingLimit, SyncOptions
from tests.loader.sync.test_sync import ALL, counts, feed
from tests.support.loading import load_catalog
from tests.support.processes import wait_until


@pytest.mark.soak
@pytest.mark.parametrize("delete", [False, True])
def test_sync_changes_40000_products(emptied_database: Database, tmp_path: Path, delete: bool):
    with emptied_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.product (product_id, sku, title) "
                "select shop.product_id(n::text), n::text, 't' from generate_series(1, 40000) n"
            )
        )
    options = SyncOptions(delete=delete, limit=MissingLimit(share=1))
    summary = load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(1)), sync=options)
    assert counts(summary) == (1, 0, 40_000, 0) if delete else (1, 40_000, 0, 0)


def test_sync_locks_products_in_the_order_of_product_id(emptied_database: Database, tmp_path: Path):
    """While the sync waits for the lock of the product with the smallest product_id, it must hold the lock of no other
    product."""
    for number in (10, 20):  # two loads, so that the order of rows in the table is not that of product_id
        load_catalog(emptied_database, feed(tmp_path / "feed.csv", range(number)))
    lock = text(
        "select from shop.product where product_id in (select product_id from shop.product order by product_id "
        "offset :place limit 1) for update"
    )
    with emptied_database.connect(None) as other, ThreadPoolExecutor() as threads, other.begin():
        other.execute(text("set local lock_timeout = '30s'"))
        other.execute(lock, {"place": 0})
        done = threads.submit(
            load_catalog, emptied_database, feed(tmp_path / "one.csv", range(99, 100)), sync=ALL, catalog="main"
        )
        wait_until(lambda: waits_for_a_lock(emptied_database) or done.done(), 60, "a sync that waits for a lock")
        for place in range(1, 20):
            other.execute(lock, {"place": place})
        other.rollback()
        assert counts(done.result(60)) == (1, 20, 0, 0)


def waits_for_a_lock(database: Database) -> bool:
    with database.connect(None) as conn:
        statement = (
            "select exists (select from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and backend_type = 'client backend')"
        )
        return bool(conn.scalar(text(statement)))
