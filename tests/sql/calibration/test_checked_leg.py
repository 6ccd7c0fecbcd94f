"""If the calibration missed its target, a search without a filter checks its scan of the index. The check compares the
scan with a sample of the vectors, and finds most of the gross errors."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.engine import Database
from tests.support.large_catalog import CLUSTER, CLUSTERS, PRODUCTS, calibration, vectors

IN_CLUSTER = np.flatnonzero(np.arange(1, PRODUCTS + 1) % CLUSTERS == CLUSTER)


@pytest.fixture
def admin(large: Database) -> Iterator[Connection]:
    with large.connect(None) as conn, conn.begin() as transaction:
        yield conn
        transaction.rollback()


def queries(count: int) -> NDArray[np.float32]:
    random = np.random.default_rng(3)
    made = vectors(0)[random.choice(IN_CLUSTER, count)] + 0.1 * random.standard_normal((count, vectors(0).shape[1]))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def search(conn: Connection, query: NDArray[Any], **options: Any) -> list[Any]:
    given = "".join(f", {name} => :{name}" for name in options)
    return list(
        conn.execute(
            text(
                "select sku, route, reason, complete from shop.search(inputs => cast(:inputs as jsonb), "
                f"title_weight => 0{given})"
            ),
            {"inputs": json.dumps([{"vector": query.tolist(), "model": "toy"}]), **options},
        )
    )


def nearest(query: NDArray[Any]) -> set[str]:
    return {f"sku {n + 1}" for n in np.argsort(-(vectors(0) @ query))[:10]}


def hide_a_cluster(admin: Connection) -> None:
    """Build the index without the products of CLUSTER, and add these products with triggers and checks off.

    The new vectors are in the table, but no walk through the graph finds them: the index has none of them.
    """
    definition = admin.scalar(text("select indexdef from pg_indexes where indexname = 'toy_image_hnsw'"))
    admin.exec_driver_sql("drop index shop.toy_image_hnsw")
    admin.exec_driver_sql(
        "create temp table hidden as select v.* from shop.toy_image v join shop.product p using (product_id) "
        f"where p.brand = 'brand {CLUSTER}'"
    )
    admin.exec_driver_sql("set local session_replication_role = replica")
    admin.exec_driver_sql("delete from shop.toy_image v using hidden h where h.product_id = v.product_id")
    admin.exec_driver_sql(definition)
    admin.exec_driver_sql("update pg_index set indisready = false where indexrelid = 'shop.toy_image_hnsw'::regclass")
    admin.exec_driver_sql("insert into shop.toy_image select * from hidden")
    admin.exec_driver_sql("update pg_index set indisready = true where indexrelid = 'shop.toy_image_hnsw'::regclass")


def test_a_search_compares_all_products_if_a_sample_shows_that_the_scan_missed_some(admin: Connection) -> None:
    hide_a_cluster(admin)
    admin.exec_driver_sql(calibration())  # whether the target was missed is not known
    for query in queries(5):
        assert not nearest(query) & {row.sku for row in search(admin, query)}
    admin.exec_driver_sql(calibration(lowest_recall=0.985))
    for query in queries(5):
        assert {row.route for row in search(admin, query)} == {"hnsw"}
    admin.exec_driver_sql(calibration(lowest_recall=0.97))
    for query in queries(10):
        rows = search(admin, query)
        assert {row.sku for row in rows} == nearest(query)
        assert {(row.route, row.complete) for row in rows} == {("exact", True)}
        assert rows[0].reason == "image: the index missed products, so all products were compared"


def test_a_scan_that_missed_nothing_is_kept(admin: Connection) -> None:
    admin.exec_driver_sql(calibration(lowest_recall=0.97, ef_search=1000))
    rows = [row for query in queries(10) for row in search(admin, query)]
    assert {(row.route, row.reason) for row in rows} == {("hnsw", None)}


def test_the_check_does_not_run_under_row_level_security(admin: Connection, large: Database) -> None:
    """The sample would read every vector if the role saw few products."""
    samples = text("select pg_stat_get_xact_function_calls('shop_private.source_sample'::regproc)")
    admin.exec_driver_sql("set local track_functions = 'all'")
    admin.exec_driver_sql(calibration(lowest_recall=0.97))
    search(admin, queries(1)[0])
    before = admin.scalar(samples)
    assert before >= 1
    admin.exec_driver_sql("create policy all_rows on shop.product using (true)")
    admin.exec_driver_sql("alter table shop.product enable row level security")
    admin.exec_driver_sql(f"set local role {large.roles.analyst}")
    assert len(search(admin, queries(1)[0])) == 10
    admin.exec_driver_sql("reset role")
    assert admin.scalar(samples) == before


def test_walks_from_the_sampled_products_complete_a_scan_of_many_products(admin: Connection) -> None:
    admin.exec_driver_sql(calibration(lowest_recall=0.97))
    query = queries(1)[0]
    far = np.argsort(vectors(0) @ query)[:10] + 1
    found = admin.execute(
        text(
            "with wrong as (select array_agg(p.product_id order by d) as ids, array_agg(0::smallint) as positions, "
            "array_agg(d order by d) as distances from (select p.product_id, i.embedding <=> cast(:query as halfvec) "
            "as d from shop.product p join shop.image_vector i using (product_id) where p.sku = any(:far)) p), "
            "leg as (select jsonb_populate_record(null::shop_private.leg, jsonb_build_object('route', 'hnsw', "
            "'product_ids', ids, 'positions', positions, 'measures', distances, 'rows_examined', 200, 'ms', 1, "
            "'index_name', 'shop.toy_image_hnsw')) as leg from wrong), "
            "checked as (select shop_private.checked_leg('image', 'shop.image_vector', null, cast(:query as halfvec), "
            "'true', 10, 10, 50000, shop_private.search_settings(), leg) as leg from leg) "
            "select p.sku from checked, unnest((leg).product_ids) u(product_id) join shop.product p using (product_id)"
        ),
        {"query": str(query.tolist()), "far": [f"sku {n}" for n in far]},
    )
    assert len(nearest(query) & {row.sku for row in found}) >= 9
