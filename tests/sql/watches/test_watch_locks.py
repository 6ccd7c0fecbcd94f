"""Sessions that create or delete watches, or compare products with watches, take their locks in the same order. They
wait only for a short time."""

import threading
import time
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from db.images.pixels import InputShape
from db.roles import Role
from encoder.lanes.batches import EncodedBatch, PreparedBatch
from encoder.lanes.catalog import CatalogLane
from encoder.settings import EncoderSettings
from tests.support.shop import Shop, unit_vectors

HOUSEKEEP = "select shop_private.housekeep(1000)"
MODEL: Any = SimpleNamespace(device="cpu", tower=SimpleNamespace(shape=InputShape(32, 32, "stretch")))


def watch(shop: Shop, name: str, sku_is_not: str = "x") -> None:
    condition = f'{{"sku": {{"ne": "{sku_is_not}"}}}}'
    shop.connect(Role.APP).execute(
        text("select shop.watch(:name, filter => cast(:filter as jsonb))"), {"name": name, "filter": condition}
    )


def found(shop: Shop) -> list[str]:
    return [row.sku for row in shop.run("select sku from shop.watch_match join shop.product using (product_id)")]


def test_a_lock_on_a_watch_delays_housekeeping_by_less_than_4_seconds(shop: Shop) -> None:
    watch(shop, "all")
    watch(shop, "broad", sku_is_not="a")
    shop.add("a")
    shop.encode_all()
    shop.run("delete from shop.watch_match")
    shop.run("insert into shop_private.watch_note (product_id) select product_id from shop.product")
    shop.worker()
    shop.run("update shop_private.worker set lease_expires_at = '2020-01-01'")
    with shop.database.connect(None) as conn:
        conn.execute(text("select from shop.watch for update"))
        shop.run("set transaction_timeout = '4s'")
        shop.run(HOUSEKEEP)
        shop.run("reset transaction_timeout")
    assert found(shop) == []
    assert shop.value("select count(*) from shop_private.worker where lease_expires_at < '2021-01-01'") == 0
    shop.run(
        "insert into shop_private.watch_count (watch_id, matches) "
        "select watch_id, 10001 from shop.watch where name = 'broad'"
    )
    with shop.database.connect(None) as conn:
        conn.execute(text("select from shop.watch where name = 'broad' for update"))
        # `broad` has too many matches, so this run of housekeep should disable it. But another session has locked the
        # row of `broad`, so only a later run can do this. This run still compares products with the watch `all`.
        shop.run(HOUSEKEEP)
        assert found(shop) == ["a"]


def test_two_sessions_that_replace_watches_do_not_deadlock(shop: Shop, together: Any) -> None:
    for name in "ab":
        watch(shop, name)
    first_has_deleted = threading.Event()

    def replace(name: str) -> None:
        with shop.database.connect(Role.APP) as conn, conn.begin():
            if name == "b":
                assert first_has_deleted.wait(60)
            assert conn.scalar(text(f"select shop.unwatch('{name}')"))
            if name == "a":
                first_has_deleted.set()
                time.sleep(0.3)  # the other session deletes its watch or waits
            conn.execute(text(f"""select shop.watch('{name}', filter => '{{"sku": "y"}}')"""))

    together(lambda: replace("a"), lambda: replace("b"))
    assert shop.value('select count(*) from shop.watch where filter @> \'{"sku": "y"}\'') == 2


def test_the_encoder_writes_notes_of_failed_products_before_it_locks_watches(shop: Shop) -> None:
    watch(shop, "all")
    shop.add("good", "bad", image_count=0)
    shop.run("update shop_private.work set attempts = 2, batch_size = null")
    worker = shop.worker()
    items = worker.claim()
    batch = PreparedBatch(1, "title", items, [b"source"] * 2, [], {}, {})
    bad = shop.value("select shop.product_id('bad', 'main')")
    encoded = EncodedBatch(batch, ["no vector" if i.product_id == bad else unit_vectors(1) for i in items])
    lane = CatalogLane(worker.id, {1: MODEL}, EncoderSettings())
    note = text("insert into shop_private.watch_note (product_id) values (:id)")
    waits = "select count(*) from pg_locks where not granted"
    try:
        with shop.database.connect(None) as other, shop.database.connect(Role.ENCODER) as conn:
            other.execute(note, {"id": bad})
            writing = threading.Thread(target=lane.write, args=(conn, encoded))
            writing.start()
            while writing.is_alive() and not shop.value(waits):
                time.sleep(0.01)
            other.execute(text("select from shop.watch for update nowait"))
            other.rollback()
            writing.join(60)
    finally:
        lane.close()
    assert found(shop) == ["good"]
