"""The lease of a worker ends a given number of seconds after the worker's last heartbeat, by the clock of the database.
Each start of an encoder registers a new worker."""

import time
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_a_lease_expires_the_given_number_of_seconds_after_the_last_heartbeat(shop: "Shop") -> None:
    worker = shop.worker(alive=False)
    worker.beat(lease_seconds=7)
    assert shop.value(
        "select lease_expires_at between clock_timestamp() and clock_timestamp() + interval '7 s' and "
        "lease_expires_at > clock_timestamp() + interval '5 s' from shop_private.worker"
    )


def test_a_lease_starts_at_the_heartbeat_not_at_the_start_of_its_transaction(shop: "Shop") -> None:
    worker = shop.worker()
    worker.conn.exec_driver_sql("begin")
    began = worker.conn.exec_driver_sql("select now()").scalar_one()
    time.sleep(0.2)
    worker.beat(lease_seconds=30)
    worker.conn.exec_driver_sql("commit")
    assert shop.value("select lease_expires_at from shop_private.worker") > began + timedelta(seconds=30.2)


def test_a_late_heartbeat_renews_the_lease_of_all_items_of_the_worker(shop: "Shop") -> None:
    shop.add("a", "b")
    one, two = shop.worker(), shop.worker()
    items = one.claim()
    shop.expire(one)
    one.beat()  # the lease has expired, but no other worker has claimed the items
    assert two.claim() == []
    assert one.complete(items) == 2


def test_each_start_of_an_encoder_registers_a_new_worker(shop: "Shop") -> None:
    shop.worker()
    shop.worker()
    assert shop.value("select count(distinct worker_id) from shop_private.worker") == 2
