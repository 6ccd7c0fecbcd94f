"""If loads and puts write the same products at the same time, each product gets the columns and images of one writer. A
plain UPDATE changes only its own columns. No writers deadlock."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, text

from db.catalog import store as catalog
from db.catalog.product import Image, Product
from db.errors import DatabaseError
from db.roles import Role
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from tests.support.shop import Shop

SECONDS = 60  # upper bound of every wait
ROOT = Path("/images")


def version(name: str, sku: str, images: int) -> Product:
    """Returns a product whose title, brand, attributes and images all name the writer `name`."""
    return Product(
        sku,
        f"title of {name}",
        brand=name,
        attributes={"writer": name},
        images=tuple(Image(f"{name}-{n}.jpg") for n in range(images)),
    )


def versions(name: str, skus: Sequence[str], images: int) -> list[Product]:
    return [version(name, sku, images) for sku in skus]


def in_key_order(shop: "Shop", skus: Sequence[str]) -> list[str]:
    rows = shop.run("select s from unnest(cast(:skus as text[])) s order by shop.product_id(s)", skus=list(skus))
    return [row[0] for row in rows]


def stored(shop: "Shop") -> dict[str, tuple[Any, ...]]:
    rows = shop.run(
        "select p.sku, p.title, p.brand, p.attributes, (select array_agg(i.uri order by i.position) "
        "from shop.product_image i where i.product_id = p.product_id) from shop.product p"
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def stored_as(product: Product) -> tuple[Any, ...]:
    return product.title, product.brand, dict(product.attributes), [image.uri for image in product.images] or None


def load(conn: Connection, products: Sequence[Product]) -> None:
    with catalog.staging(conn) as stage:
        for product in products:
            stage(product)
    catalog.upsert(conn, image_root=ROOT)


def put(conn: Connection, products: Sequence[Product]) -> None:
    for outcome in catalog.put(conn, products, image_root=ROOT):
        assert outcome in ("inserted", "updated", "unchanged")


Write = Callable[[Connection, Sequence[Product]], None]
WRITERS = pytest.mark.parametrize("write", [load, put])


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def begin(shop: "Shop", threads: ThreadPoolExecutor, write: Write, products: Sequence[Product]) -> "Future[None]":
    """Start a writer in a thread, with a transaction of its own. Return when the writer waits for a lock."""

    def run() -> None:
        with shop.database.connect(Role.APP) as conn, conn.begin():
            write(conn, products)

    before = waiting(shop)
    done = threads.submit(run)
    wait_until(lambda: waiting(shop) > before or done.done(), SECONDS, "the writer to wait for a lock")
    assert not done.done(), done.result()
    return done


def waiting(shop: "Shop") -> int:
    """Returns the number of sessions that wait for a lock."""
    count: int = shop.value(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' "
        "and backend_type = 'client backend'"
    )
    return count


@contextmanager
def locked(shop: "Shop", sku: str) -> Iterator[Connection]:
    """Hold the lock of a product, and commit at the end of the block."""
    with shop.database.connect(None) as conn, conn.begin():
        conn.execute(text("set local lock_timeout = '30s'"))
        conn.execute(text("select from shop.product where sku = :sku for update"), {"sku": sku})
        yield conn


@WRITERS
@pytest.mark.parametrize("images", [0, 4])
@pytest.mark.parametrize("equal", ["columns", "images", "nothing"])
def test_a_writer_that_waits_for_another_writer_replaces_the_whole_product(
    shop: "Shop", threads: ThreadPoolExecutor, write: Write, images: int, equal: str
) -> None:
    old, first, second = version("old", "a", 2), version("first", "a", 3), version("second", "a", images)
    if equal == "columns":  # its columns equal the stored columns until the first writer commits
        second = replace(old, images=second.images)
    elif equal == "images":
        second = replace(second, images=old.images)
    shop.load(old)
    with shop.database.connect(Role.APP) as conn, conn.begin():
        load(conn, [first])
        done = begin(shop, threads, write, [second])
    done.result(SECONDS)
    assert stored(shop)["a"] == stored_as(second)


@WRITERS
def test_a_writer_without_a_change_does_not_wait_for_another_writer(shop: "Shop", write: Write) -> None:
    shop.load(version("old", "a", 2))
    with shop.database.connect(Role.APP) as conn, conn.begin():
        load(conn, [version("first", "a", 3)])
        with shop.database.connect(Role.APP) as other, other.begin():
            other.execute(text("set local lock_timeout = '30s'"))
            write(other, [version("old", "a", 2)])
    assert stored(shop)["a"] == stored_as(version("first", "a", 3))


@WRITERS
@pytest.mark.parametrize("images", [0, 4])
@pytest.mark.parametrize("change", ["load", "put", "update"])
def test_a_product_that_changes_during_a_write_has_the_columns_and_images_of_one_writer(
    shop: "Shop", threads: ThreadPoolExecutor, write: Write, images: int, change: str
) -> None:
    """The writer waits for the lock of its first product. During this wait, another session changes the writer's last
    product and commits. In the first case, the writer writes this product as it was stored before that change. In the
    second case, it writes other images."""
    first, last = in_key_order(shop, ["a", "b"])
    for expected in (
        version("old", last, 2),
        replace(version("old", last, 2), images=version("new", "", images).images),
    ):
        shop.load(version("old", first, 1), version("old", last, 2))
        other = version("other", last, 3)
        with locked(shop, first):
            done = begin(shop, threads, write, [version("new", first, 1), expected])
            if change == "update":
                shop.run(
                    "update shop.product set title = 'title of other', brand = 'other', attributes = "
                    """'{"writer": "other"}' where sku = :sku""",
                    sku=last,
                )
                other = replace(other, images=version("old", last, 2).images)
            else:
                with shop.database.connect(Role.APP) as conn, conn.begin():
                    (load if change == "load" else put)(conn, [other])
        done.result(SECONDS)
        assert stored(shop)[first] == stored_as(version("new", first, 1))
        assert stored(shop)[last] in (stored_as(other), stored_as(expected))


@WRITERS
def test_a_product_that_two_writers_insert_has_the_columns_and_images_of_one_writer(
    shop: "Shop", threads: ThreadPoolExecutor, write: Write
) -> None:
    with shop.database.connect(Role.APP) as conn, conn.begin():
        load(conn, [version("first", "a", 3)])
        done = begin(shop, threads, write, [version("second", "a", 1)])
    done.result(SECONDS)
    assert stored(shop) == {"a": stored_as(version("second", "a", 1))}


@WRITERS
def test_two_writers_that_write_the_same_products_in_opposite_order_do_not_deadlock(
    shop: "Shop", threads: ThreadPoolExecutor, write: Write
) -> None:
    skus = in_key_order(shop, [f"s{n}" for n in range(20)])
    shop.load(*versions("old", skus, 2))
    with locked(shop, skus[10]):
        first = begin(shop, threads, load, versions("first", skus, 3))
        second = begin(shop, threads, write, versions("second", skus[::-1], 1))
    first.result(SECONDS)
    second.result(SECONDS)
    assert stored(shop) == {sku: stored_as(version("second", sku, 1)) for sku in skus}


def test_a_refused_product_does_not_change_the_order_of_locks(shop: "Shop", threads: ThreadPoolExecutor) -> None:
    skus = in_key_order(shop, [f"s{n}" for n in range(8)])
    shop.load(*versions("old", skus, 1))
    refused = replace(version("first", skus[3], 1), currency="euro")

    def put_with_refused(conn: Connection, products: Sequence[Product]) -> None:
        outcomes = catalog.put(conn, [refused if each.sku == skus[3] else each for each in products], image_root=ROOT)
        assert [isinstance(each, DatabaseError) for each in outcomes] == [each.sku == skus[3] for each in products]

    with locked(shop, skus[6]) as conn:
        done = begin(shop, threads, put_with_refused, versions("first", sorted(skus), 1))
        conn.execute(text("select from shop.product where sku = :sku for update"), {"sku": skus[7]})
    done.result(SECONDS)
    assert stored(shop)[skus[7]] == stored_as(version("first", skus[7], 1))


def test_a_plain_update_waits_for_a_load_and_changes_only_its_column(shop: "Shop", threads: ThreadPoolExecutor) -> None:
    shop.load(version("old", "a", 2))

    def update(conn: Connection, products: Sequence[Product]) -> None:
        conn.execute(text("update shop.product set price = 5 where title = 'title of first'"))
        conn.execute(text("update shop.product set price = 7 where sku = 'a'"))

    with shop.database.connect(Role.APP) as conn, conn.begin():
        load(conn, [version("first", "a", 1)])
        done = begin(shop, threads, update, [])
    done.result(SECONDS)
    assert stored(shop)["a"] == stored_as(version("first", "a", 1))
    assert shop.value("select price from shop.product") == 7


def test_a_load_waits_for_a_plain_update_and_replaces_the_whole_product(
    shop: "Shop", threads: ThreadPoolExecutor
) -> None:
    shop.load(version("old", "a", 2))
    with shop.database.connect(Role.APP) as conn, conn.begin():
        conn.execute(text("update shop.product set title = 'U', brand = 'U' where sku = 'a'"))
        done = begin(shop, threads, load, [version("first", "a", 1)])
    done.result(SECONDS)
    assert stored(shop)["a"] == stored_as(version("first", "a", 1))


@pytest.mark.parametrize("table", ["shop.product_image", "shop_private.work"])
def test_a_load_locks_images_and_their_work_items_in_the_order_of_the_encoder(
    shop: "Shop", threads: ThreadPoolExecutor, table: str
) -> None:
    """The load replaces an image of the first product and deletes an image of the last product."""
    skus = in_key_order(shop, [f"s{n}" for n in range(5)])
    shop.load(*versions("old", skus, 2))
    lock = text(
        f"select from {table} t join shop.product p using (product_id) where p.sku = :sku and t.position = 1 "
        f"{'and t.part = $$image$$ ' if 'work' in table else ''}for update of t"
    )
    with shop.database.connect(None) as encoder, encoder.begin():
        encoder.execute(text("set local lock_timeout = '30s'"))
        encoder.execute(lock, {"sku": skus[0]})
        changed = [version("old", sku, 2) for sku in skus]
        changed[0] = version("new", skus[0], 2)
        changed[-1] = version("new", skus[-1], 1)
        done = begin(shop, threads, load, changed)
        encoder.execute(lock, {"sku": skus[-1]})
    done.result(SECONDS)
    assert stored(shop) == {each.sku: stored_as(each) for each in changed}


@pytest.mark.soak
def test_three_writers_of_the_same_products_for_five_seconds_leave_no_mixed_product(
    shop: "Shop", threads: ThreadPoolExecutor
) -> None:
    skus = [f"s{n}" for n in range(60)]
    end = time.monotonic() + 5

    def run(name: str, write: Write, images: int) -> int:
        times = 0
        with shop.database.connect(Role.APP) as conn:
            while time.monotonic() < end:
                with conn.begin():
                    write(conn, versions(name, skus[times % 7 :], images))
                times += 1
        return times

    writers: list[tuple[str, Write, int]] = [("first", load, 1), ("second", load, 4), ("third", put, 2)]
    counts = [threads.submit(run, *writer) for writer in writers]
    assert all(count.result(SECONDS) for count in counts)
    whole = {name: stored_as(version(name, "", images)) for name, _, images in writers}
    assert all(row in whole.values() for row in stored(shop).values())
    assert len(stored(shop)) == 60
