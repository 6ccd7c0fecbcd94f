"""A retry skips locked items, and a retry of one catalog skips the items of other catalogs. An encoder locks fetched
images in the same order as a load, so the two cannot deadlock. The work of a claim has a limit, even with thousands of
images or hosts."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db.catalog.product import Image, Product
from db.work import fetching
from db.work import items as work
from tests.sql.work.test_fetch_hosts import add_remote, claim, fail, hosts
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_a_retry_skips_an_item_that_another_session_has_locked(shop: "Shop") -> None:
    add_remote(shop, "a.example", 1)
    add_remote(shop, "b.example", 1)
    worker = shop.worker()
    for remote in claim(worker):
        fail(worker, remote)
    with shop.database.connect(None) as other, other.begin():
        other.execute(text("select from shop_private.work where host = 'a.example' for update"))
        shop.run("set lock_timeout = '2s'")
        assert shop.value("select shop_private.work_retry(1::smallint)") == 1
    assert shop.value("select shop_private.work_retry(1::smallint)") == 1


@pytest.mark.parametrize("change", ["work_begin", "fetch_return"])
def test_fetched_images_are_locked_in_the_order_of_a_load(shop: "Shop", change: str) -> None:
    add_remote(shop, "a.example", 6)
    worker = shop.worker()
    fetching.answered(worker.conn, "a.example")
    items = sorted((each.item for each in claim(worker)), key=lambda item: item.product_id)
    first, last = items[0].product_id, items[-1].product_id
    locked = text("select from shop_private.work where part = 'image' and product_id = :id for update")
    with shop.database.connect(None) as load, load.begin(), ThreadPoolExecutor() as threads:
        load.execute(locked, {"id": first})
        call = fetching.begin if change == "work_begin" else fetching.release
        done = threads.submit(call, worker.conn, worker.id, 1, items[::-1])
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        wait_until(lambda: shop.value(waiting), 10, "the call to wait for the load")
        load.execute(text("set local lock_timeout = '2s'"))
        load.execute(locked, {"id": last})
        load.commit()
        done.result(10)


def test_a_retry_of_a_catalog_leaves_the_other_catalogs_in_quarantine(shop: "Shop") -> None:
    for catalog in ("shoes", "bags"):
        shop.load(Product("a", "title", images=(Image("a.jpg"),)), into=catalog)
    worker = shop.worker()
    for item in worker.claim("image"):
        worker.fail(item, "not an image", "image", final=True)
    assert work.retry(worker.conn, 1, catalog="bags") == 1
    assert shop.run("select catalog from shop.quarantine") == [("shoes",)]


def test_a_claim_finds_the_oldest_of_20000_images_of_a_host_without_a_sort(shop: "Shop") -> None:
    shop.run(
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id('sku ' || n), 'sku ' || n, 'title' from generate_series(1, 20000) n"
    )
    shop.run(
        "insert into shop_private.work (product_id, model_id, part, host) "
        "select product_id, 1, 'image', 'dead.example' from shop.product"
    )
    shop.run("analyze shop_private.work")
    plan = shop.value(
        "explain (format json) select w.ctid from shop_private.work w where w.model_id = 1 and w.host = 'dead.example' "
        "and w.state = 'pending' and w.due_at <= clock_timestamp() order by w.due_at limit 8 for update skip locked"
    )
    assert "work_fetch_idx" in str(plan)
    assert "'Sort'" not in str(plan)


def add_hosts(shop: "Shop", count: int) -> None:
    """Adds a product with one image for each host from h1.example to h{count}.example."""
    shop.run(
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id(n::text), n::text, 'title' from generate_series(1, :count) n",
        count=count,
    )
    shop.run(
        "insert into shop.product_image (product_id, position, uri) "
        "select shop.product_id(n::text), 0, format('https://h%s.example/a.jpg', n) from generate_series(1, :count) n",
        count=count,
    )
    shop.run("analyze shop_private.work")


def test_a_claim_considers_at_most_1000_of_2500_hosts(shop: "Shop") -> None:
    add_hosts(shop, 2500)
    worker = shop.worker()
    with shop.database.connect(None) as conn, conn.begin():
        claimed = fetching.claim(conn, worker.id, 1, 5000, per_host=8, busy={}, seconds=60)
        scans = conn.scalar(text("select pg_stat_get_xact_numscans('shop_private.work_fetch_idx'::regclass)"))
    assert len(set(hosts(claimed))) == len(claimed) == 1000
    assert 1000 < scans < 2500  # each of the 1,000 hosts takes about two scans: for the host and for its images


def test_repeated_claims_reach_each_of_2500_hosts(shop: "Shop") -> None:
    add_hosts(shop, 2500)
    worker = shop.worker()
    reached: set[str] = set()
    for _ in range(2500):
        reached.update(hosts(claim(worker, limit=5000)))
        if len(reached) == 2500:
            break
    assert len(reached) == 2500


def test_repeated_claims_reach_a_host_that_comes_after_1500_paused_hosts(shop: "Shop") -> None:
    add_hosts(shop, 1500)
    shop.run(
        "insert into shop_private.fetch_host (host, failures, paused_until) "
        "select host, 9, 'infinity' from shop_private.work where host is not null"
    )
    add_remote(shop, "z.example", 1500)
    worker = shop.worker()
    assert any(claim(worker, limit=1) for _ in range(200))  # each claim starts at z.example with a probability of 1/2
