"""A label is a frequent value of a field. Labelled vectors are copies of the vectors of products with a label. The
copies agree with the vectors and the products, even if other sessions write while vectors are copied or labels are
dropped."""

from threading import Thread

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.lifecycle import label_indexes
from db.roles import Role
from db.settings import Settings
from migrations.label_indexes import drop_labels
from tests.sql.labels.conftest import STORED
from tests.support.processes import wait_until
from tests.support.shop import Shop, Worker, product, unit_vectors

WAITING = (
    "select count(*) from pg_locks where not granted "
    "and pid in (select pid from pg_stat_activity where datname = current_database())"
)
FILL = "select shop_private.label_fill(1::smallint, 'image', 0, 64)"


def stored(shop: Shop) -> list[tuple[str, str, bool]]:
    return [tuple(row) for row in shop.run(STORED)]


def waits(shop: Shop) -> bool:
    return bool(shop.value(WAITING))


def test_a_copy_waits_for_a_vector_that_is_being_stored(small: Shop) -> None:
    """The copy locks the product first, so the copy of image vectors waits for a title vector too. Without the lock,
    the copy of an old vector could replace the copy of a new one."""
    small.load(product("a", "another title", product_type="bags"))
    worker = small.worker()
    items = worker.claim("title")
    with small.database.connect(Role.ENCODER) as encoder, encoder.begin() as storing:
        Worker(encoder, id=worker.id).complete(items, "title", unit_vectors(1, seed=7))
        with small.database.connect(None) as other:
            other.exec_driver_sql("set lock_timeout = '100ms'")
            with pytest.raises(DatabaseError, match="lock timeout"):
                other.exec_driver_sql(FILL)
        storing.commit()


def test_a_copy_that_waits_stores_the_newer_vector(small: Shop) -> None:
    small.load(product("a", "another title", product_type="bags", image_count=1))
    small.run("delete from shop.toy_title_label")
    worker = small.worker()
    items = worker.claim("title")
    with small.database.connect(Role.ENCODER) as encoder, encoder.begin() as storing:
        Worker(encoder, id=worker.id).complete(items, "title", unit_vectors(1, seed=7))
        fill = Thread(target=small.connect(None).exec_driver_sql, args=[FILL.replace("image", "title")])
        fill.start()
        wait_until(lambda: waits(small), 60, "the copy to wait for a lock")
        storing.commit()
    fill.join(60)
    assert small.value(
        "select count(*) = 4 and bool_and(v.embedding = t.embedding) from shop.toy_title_label v "
        "join shop.toy_title t using (product_id)"
    )


def test_a_copy_that_ends_in_a_deadlock_is_repeated(small: Shop) -> None:
    small.run("delete from shop.toy_image_label")
    first, *_, last = (row[0] for row in small.run("select product_id from shop.product order by 1"))
    lock = text("select from shop.product where product_id = :id for update")
    failed: list[BaseException] = []

    def fill() -> None:
        with small.database.connect(None) as conn:
            conn.exec_driver_sql("set deadlock_timeout = '500ms'")
            conn.commit()
            try:
                label_indexes.fill(
                    conn.execution_options(isolation_level="AUTOCOMMIT"), "toy_image_label", lambda *_: None
                )
            except BaseException as error:
                failed.append(error)

    with small.database.connect(None) as other, other.begin() as writing:
        other.exec_driver_sql("set local deadlock_timeout = '60s'")  # the copy notices the deadlock first
        other.execute(lock, {"id": last})
        thread = Thread(target=fill)
        thread.start()
        wait_until(lambda: waits(small), 60, "the copy to wait for a lock")
        other.execute(lock, {"id": first})
        writing.commit()
    thread.join(60)
    assert not failed
    assert len(stored(small)) == 4


def test_a_drop_of_labels_waits_for_an_encoder_that_has_read_them(small: Shop, settings: Settings) -> None:
    """The encoder has read the labels and waits for the lock of a product. If the tables were dropped meanwhile, the
    batch of the encoder would be lost."""
    small.load(product("a", "another title", product_type="bags"))
    worker = small.worker()
    items = worker.claim("title")
    counts: list[int] = []
    storing = Thread(target=lambda: counts.append(worker.complete(items, "title", unit_vectors(1, seed=7))))
    dropping = Thread(target=drop_labels, args=[small.database, settings, "product_type"])
    with small.database.connect(None) as other, other.begin() as writing:
        other.exec_driver_sql("select from shop.product where sku = 'a' for update")
        storing.start()
        wait_until(lambda: waits(small), 60, "the encoder to wait for a lock")
        dropping.start()
        wait_until(lambda: not small.value("select count(*) from shop.label_index"), 60, "the deletion of the labels")
        assert small.value("select to_regclass('shop.toy_title_label') is not null")
        writing.commit()
    storing.join(60)
    dropping.join(60)
    assert counts == [1]
    assert small.value("select to_regclass('shop.toy_title_label')") is None


def test_a_change_of_fields_without_labels_reads_no_labelled_vector(small: Shop) -> None:
    scans = (
        "select sum(pg_stat_get_xact_numscans(indexrelid)) from pg_index "
        "where indrelid in ('shop.toy_image_label'::regclass, 'shop.toy_title_label'::regclass)"
    )
    with small.database.connect(None) as conn, conn.begin() as changing:
        conn.exec_driver_sql("update shop.product set attributes = attributes || '{\"x\": 1}', color = 'red'")
        assert conn.exec_driver_sql(scans).scalar() == 0
        conn.exec_driver_sql("update shop.product set product_type = 'hats'")
        assert (conn.exec_driver_sql(scans).scalar() or 0) > 0
        changing.rollback()
