"""A calibration measures the index of each label. Most searches of a label first compare the query with a sample of the
label's vectors. A search for all products of a measured label needs no sample."""

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import Connection, text

from db.engine import Database
from tests.sql.labels.test_label_route import TYPE, queries, recall, search

ONE = {"attributes.yarn": "wool"}


@pytest.fixture(scope="module")
def calibrated(labelled: Database) -> Iterator[Connection]:
    """Yields an administrator's connection in whose transaction the labels are calibrated."""
    with labelled.connect(None) as connection, connection.begin() as transaction:
        connection.exec_driver_sql("set local track_functions = 'all'")
        connection.exec_driver_sql("select shop.calibrate(target_recall => 0.97, queries => 40)")
        # Other load on the machine changes the measured times and with them the route.
        connection.exec_driver_sql(
            "update shop.calibration set exact_us_per_row = 4, hnsw_us_per_candidate = 8, crossover_rows = 300"
        )
        yield connection
        transaction.rollback()


@pytest.fixture
def conn(calibrated: Connection) -> Iterator[Connection]:
    with calibrated.begin_nested() as savepoint:
        yield calibrated
        savepoint.rollback()


def samples(conn: Connection) -> int:
    """Returns how often this transaction has compared a query with the sample of a label."""
    return int(
        conn.scalar(text("select pg_stat_get_xact_function_calls('shop_private.source_sample'::regproc::oid)")) or 0
    )


def measured(conn: Connection) -> list[str]:
    """Returns the product types whose labels reached the target."""
    return list(
        conn.scalars(
            text(
                "select value #>> '{}' from shop.label_index "
                "where field = 'product_type' and ef_search is not null order by label_id"
            )
        )
    )


def test_a_calibration_stores_ef_search_of_each_label_that_reaches_the_target(conn: Connection) -> None:
    rows = conn.execute(text("select ef_search, images from shop.label_index")).all()
    assert len(rows) == 6
    assert all(3500 <= row.images <= 5500 for row in rows), rows
    assert all(40 <= row.ef_search <= 1000 for row in rows if row.ef_search is not None), rows
    assert len(measured(conn)) >= 2, rows


@pytest.mark.parametrize("labels", [1, 2])
def test_searches_of_measured_labels_find_the_nearest_without_a_sample(conn: Connection, labels: int) -> None:
    types = measured(conn)[:labels]
    before = samples(conn)
    assert recall(conn, {"product_type": types}, np.isin(TYPE, [int(name[-1]) for name in types]), 40) >= 0.96
    assert samples(conn) == before
    search(conn, queries(1)[0], {"product_type": types, "price": {"gte": 0}})
    assert samples(conn) > before, "a further condition was not measured"


def test_ef_search_grows_with_the_square_root_of_the_images_of_the_label(conn: Connection) -> None:
    [row, *_] = search(conn, queries(1)[0], ONE)
    conn.exec_driver_sql("update shop.label_index set ef_search = 100")
    [same, *_] = search(conn, queries(1)[0], ONE)
    conn.exec_driver_sql("update shop.label_index set images = images / 4")
    [grown, *_] = search(conn, queries(1)[0], ONE)
    assert (same.rows_examined, grown.rows_examined) == (100, 200)
    conn.exec_driver_sql("update shop.label_index set ef_search = null")
    before = samples(conn)
    [unknown, *_] = search(conn, queries(1)[0], ONE)
    assert samples(conn) == before + 1
    assert {row.route, unknown.route} == {"label"}


def test_a_label_whose_index_misses_products_keeps_its_sample(conn: Connection) -> None:
    label = conn.scalar(text("""select label_id from shop.label_index where value = '"wool"'"""))
    conn.exec_driver_sql(f"drop index shop.toy_image_label_{label}")
    conn.exec_driver_sql(
        f"create index toy_image_label_{label} on shop.toy_image_label using hnsw (embedding halfvec_cosine_ops) "
        f"with (m = 2, ef_construction = 4) where label_id = {label}"
    )
    conn.exec_driver_sql("select shop.calibrate(target_recall => 0.99, queries => 40)")
    assert conn.scalar(text(f"select ef_search from shop.label_index where label_id = {label}")) is None
    # Other load on the machine changes the measured times and with them the route.
    conn.exec_driver_sql(
        "update shop.calibration set exact_us_per_row = 4, hnsw_us_per_candidate = 8, crossover_rows = 400"
    )
    before = samples(conn)
    search(conn, queries(1)[0], ONE)
    assert samples(conn) == before + 1
