"""A worker stores a vector and deletes the work item only if it still holds the item. So the vector belongs to the
current title or image."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import text

from db.errors import StatementRefused
from db.work import items as work
from db.work.items import ImageMetadata

if TYPE_CHECKING:
    from tests.support.shop import Shop


def stored(shop: "Shop", part: str = "title") -> int:
    return int(shop.value(f"select count(*) from shop.toy_{part}"))


def test_a_product_with_stored_vectors_is_searchable_and_has_no_work_items(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    assert worker.complete(worker.claim()) == 1
    assert worker.complete(worker.claim("image"), "image") == 1
    assert shop.work() == []
    assert shop.value("select sku from shop.searchable") == "a"
    assert shop.value("select source from shop.toy_title") == b"source"


def test_a_worker_that_lost_its_lease_stores_nothing(shop: "Shop") -> None:
    shop.add("a")
    one, two = shop.worker(), shop.worker()
    items = one.claim()
    shop.expire(one)
    alone = two.claim()
    assert one.complete(items) == 0
    assert stored(shop) == 0
    assert two.complete(alone) == 1
    assert one.complete(items) == 0  # a second attempt stores nothing either
    assert stored(shop) == 1


def test_a_batch_stores_only_the_items_that_the_worker_still_holds(shop: "Shop") -> None:
    shop.add("a", "b")
    worker = shop.worker()
    items = worker.claim()
    shop.run("update shop.product set title = 'another' where sku = 'a'")
    assert worker.complete(items) == 1
    assert shop.work("a")[1] == ("a", "title", 0, "pending")
    assert [row for row in shop.work("b") if row[1] == "title"] == []


@pytest.mark.parametrize("change", ["title = 'another'", "title = title || '!'"])
def test_a_title_that_changes_during_encoding_is_encoded_again(shop: "Shop", change: str) -> None:
    shop.add("a")
    worker = shop.worker()
    items = worker.claim()
    shop.run(f"update shop.product set {change}")
    assert worker.complete(items) == 0
    assert stored(shop) == 0
    [again] = worker.claim()
    assert again.title != items[0].title
    assert again.attempts == 0


def test_an_image_that_is_replaced_during_encoding_is_encoded_again(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    items = worker.claim("image")
    shop.run("update shop.product_image set uri = 'another.jpg'")
    assert worker.complete(items, "image") == 0
    assert [item.uri for item in worker.claim("image")] == ["another.jpg"]


def test_a_vector_is_not_stored_if_a_concurrent_transaction_changes_the_title(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    items = worker.claim()
    with shop.database.connect(None) as writer:
        writer.execute(text("update shop.product set title = 'another'"))  # this transaction is still open
        worker.conn.exec_driver_sql("set lock_timeout = '200ms'")
        with pytest.raises(Exception, match="lock timeout"):
            worker.complete(items)  # waits for the writer's transaction
        writer.commit()
    assert worker.complete(items) == 0
    assert stored(shop) == 0


def test_a_product_that_is_deleted_during_encoding_is_skipped(shop: "Shop") -> None:
    shop.add("a", "b")
    worker = shop.worker()
    items = worker.claim()
    shop.run("delete from shop.product where sku = 'a'")
    assert worker.complete(items) == 1


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.full(24, 0.5, dtype=np.float32), "unit_norm_check"),
        (np.zeros(24, dtype=np.float32), "unit_norm_check"),
        (np.eye(1, 23, dtype=np.float32)[0], "24 dimensions"),
        (np.full(24, np.nan, dtype=np.float32), "NaN"),
        (np.full(24, np.inf, dtype=np.float32), "nfin"),
    ],
)
def test_the_schema_rejects_vectors_without_unit_norm_or_with_a_wrong_dimension(
    shop: "Shop", vector: np.ndarray, message: str
) -> None:
    shop.add("a", "b")
    worker = shop.worker()
    items = worker.claim()
    good = np.eye(1, len(vector), dtype=np.float32)[0]
    with pytest.raises(StatementRefused, match=message):
        worker.complete(items, vectors=np.stack([good, vector]))
    assert stored(shop) == 0
    assert worker.release() == 2  # the worker still holds both items and can release them
    assert len(worker.claim()) == 2


def test_the_vector_of_a_changed_title_replaces_the_old_vector(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    worker.complete(worker.claim())
    before = shop.value("select embedding::text from shop.toy_title")
    shop.run("update shop.product set title = 'another'")
    worker.complete(worker.claim(), vectors=np.eye(1, 24, dtype=np.float32))
    assert stored(shop) == 1
    assert shop.value("select embedding::text from shop.toy_title") != before


def test_image_metadata_fills_in_only_values_that_the_feed_lacks(shop: "Shop") -> None:
    shop.add("a", "b")
    shop.run("update shop.product_image set phash = (repeat('1', 64))::bit(64) where uri = 'a-0.jpg'")
    worker = shop.worker()
    items = worker.claim("image")
    seen = ImageMetadata(b"x" * 32, 640, 480, "0" * 64)
    work.record_image_metadata(worker.conn, items, [seen] * 2)
    rows = shop.run("select sha256, width, height, phash::text from shop.product_image order by uri")
    assert [tuple(row) for row in rows] == [(b"x" * 32, 640, 480, "1" * 64), (b"x" * 32, 640, 480, "0" * 64)]
    # New metadata does not count as a change of the image, so the items stay leased.
    assert {row[3] for row in shop.work() if row[1] == "image"} == {"leased"}
