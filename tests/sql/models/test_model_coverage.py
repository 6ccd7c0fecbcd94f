"""shop.model_coverage counts each image and each title once for each model that is not retired, also during loads and
encoding."""

import itertools
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import Connection, text

from db.catalog.product import Product
from db.lifecycle.status import PartCoverage, coverage
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop, Worker


def test_each_state_of_an_item_has_its_own_count(shop: "Shop") -> None:
    shop.add("done", "changed", "bad", "held", "waiting", image_count=2)
    shop.load(Product("none", "no image"))
    worker = shop.worker()
    for item in worker.claim("image", 100):
        name = item.title.removeprefix("title of ")
        if name == "bad":
            worker.fail(item, part="image", final=True)
        elif name in ("done", "changed"):
            worker.complete([item], "image")
    worker.release()
    shop.run("update shop.product_image set uri = 'other.jpg' where product_id = shop.product_id('changed')")
    held = [item.title for item in worker.claim("image", 2)]
    with shop.database.connect(Role.ANALYST) as conn:
        assert coverage(conn) == {
            "toy": {
                # A replaced image is not counted as done, although its old vector is still stored.
                "image": PartCoverage(items=10, done=2, waiting=4, leased=2, quarantined=2),
                "title": PartCoverage(items=6, done=0, waiting=6, leased=0, quarantined=0),
            }
        }
    assert len(held) == 2


def test_a_title_with_neither_a_vector_nor_a_work_item_counts_as_waiting(shop: "Shop") -> None:
    shop.add("a", "b")
    shop.run("delete from shop_private.work where product_id = shop.product_id('a')")
    with shop.database.connect(Role.ANALYST) as conn:
        assert coverage(conn)["toy"]["title"] == PartCoverage(items=2, done=0, waiting=2, leased=0, quarantined=0)


def test_a_retired_model_is_not_listed(two_models: "Shop") -> None:
    two_models.run("update shop.model set status = 'retired' where name = 'wide'")
    with two_models.database.connect(Role.ANALYST) as conn:
        assert set(coverage(conn)) == {"toy"}


CHANGES = (
    "update shop.product set title = title || '!' where sku = :sku",
    "delete from shop.product_image where product_id = shop.product_id(:sku) and position = 1",
    "insert into shop.product_image (product_id, position, uri) select product_id, 1, 'https://x/' || sku "
    "from shop.product where sku = :sku on conflict do nothing",
    "update shop.product_image set uri = uri || 'x' where product_id = shop.product_id(:sku)",
    "insert into shop.product (product_id, sku, title) values (shop.product_id(:sku || 'n'), :sku || 'n', 't') "
    "on conflict do nothing",
    "delete from shop.product where sku = :sku || 'n'",
)


@pytest.mark.parametrize("seconds", [3])
def test_the_counts_of_model_coverage_add_up_during_loads_and_encoding(two_models: "Shop", seconds: int) -> None:
    shop = two_models
    shop.add(*(f"s{n}" for n in range(60)), image_count=2)
    stop = threading.Event()
    errors: list[BaseException] = []

    app = shop.connect(Role.APP)

    def change(n: int) -> None:
        for statement in CHANGES[: 6 - n % 2]:
            app.execute(text(statement), {"sku": f"s{n % 60}"})

    def encode(worker: "Worker", dimension: int, n: int) -> None:
        part = "image" if n % 2 else "title"
        if items := worker.claim(part, 7):
            if n % 5 == 0:
                worker.fail(items.pop(), part=part, final=n % 10 == 0)
            worker.complete(items, part, np.tile(np.eye(1, dimension, dtype=np.float32), (len(items), 1)))

    def again_and_again(act: Callable[[int], None]) -> None:
        for n in itertools.count(1):
            if stop.is_set():
                return
            try:
                act(n)
            except BaseException as error:
                # A transaction that deletes a product can deadlock with a transaction that stores the product's vector.
                # PostgreSQL then cancels one of the two.
                if getattr(error, "sqlstate", None) == "40P01":
                    continue
                errors.append(error)
                stop.set()

    workers = [(shop.worker(model_id=1), 24), (shop.worker(model_id=2), 40)]
    for worker, _ in workers:
        worker.beat(600)
    acts: list[Callable[[int], None]] = [change, *(partial(encode, *each) for each in workers)]
    threads = [threading.Thread(target=again_and_again, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    looks = 0
    try:
        with shop.database.connect(None) as conn:
            until = threading.Event()
            timer = threading.Timer(seconds, until.set)
            timer.start()
            while not until.is_set() and not stop.is_set():
                look(conn)
                looks += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert looks > 5


def look(conn: Connection) -> None:
    """Checks that coverage agrees with counts of the tables in the same snapshot."""
    with conn.begin():
        conn.execute(text("set transaction isolation level repeatable read"))
        items = {
            "image": conn.scalar(text("select count(*) from shop.product_image")),
            "title": conn.scalar(text("select count(*) from shop.product")),
        }
        listed = {
            (row.name, row.part, row.state): row.count
            for row in conn.execute(
                text(
                    "select m.name, w.part::text, w.state::text, count(*) from shop_private.work w "
                    "join shop.model m using (model_id) group by 1, 2, 3"
                )
            )
        }
        for model, parts in coverage(conn).items():
            for part, covered in parts.items():
                assert covered.items == items[part]
                assert covered.done + covered.waiting + covered.leased + covered.quarantined == items[part]
                # Each waiting item has a pending work item, because this test never deletes a work item alone.
                assert covered.waiting == listed.get((model, part, "pending"), 0)
                assert covered.leased == listed.get((model, part, "leased"), 0)
                assert covered.quarantined == listed.get((model, part, "quarantined"), 0)
