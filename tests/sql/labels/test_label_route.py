"""A label is a value of a field with an HNSW index of its own. A search whose filter implies a label can read this
index. The search finds nearly all of the nearest matches."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, text

from db.engine import Database
from db.lifecycle.warming import warm
from tests.support.large_catalog import PRODUCTS, vectors

NUMBERS = np.arange(1, PRODUCTS + 1)
TYPE = np.where(NUMBERS % 2000 == 0, -1, NUMBERS % 4)
WOOL = (NUMBERS % 50 >= 20) & (NUMBERS % 50 < 30)
PRICE = (NUMBERS * 7919) % 160


def queries(count: int) -> NDArray[np.float32]:
    """Returns vectors near random products, like the vectors of shoppers' queries."""
    random = np.random.default_rng(5)
    made = vectors(0)[random.choice(PRODUCTS, count, replace=False)] + 0.1 * random.standard_normal((count, 24))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def search(conn: Connection, query: NDArray[Any], filter_: dict[str, Any], **options: Any) -> list[Row[Any]]:
    parameters = {"inputs": json.dumps([{"vector": query.tolist(), "model": "toy"}]), "filter": json.dumps(filter_)}
    given = "".join(f", {name} => :{name}" for name in options)
    return list(
        conn.execute(
            text(
                "select sku, route, rows_examined, complete, reason, total, total_is from shop.search(inputs => "
                f"cast(:inputs as jsonb), filter => cast(:filter as jsonb), title_weight => 0{given})"
            ),
            {**parameters, **options},
        )
    )


def recall(conn: Connection, filter_: dict[str, Any], passes: NDArray[np.bool_], count: int = 20) -> float:
    """Returns the mean recall@10 of `count` searches. At least half of the searches must take the route `label`."""
    found, routes = [], []
    for query in queries(count):
        rows = search(conn, query, filter_)
        assert {row.complete for row in rows} == {True}
        routes.append(rows[0].route)
        truth = np.argsort(-np.where(passes, vectors(0) @ query, -2))[:10]
        found.append(len({row.sku for row in rows} & {f"sku {n + 1}" for n in truth}) / 10)
    assert set(routes) <= {"label", "exact"}
    assert routes.count("label") >= count / 2, routes
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("filter_", "passes"),
    [
        ({"product_type": "type 1"}, TYPE == 1),
        ({"product_type": {"eq": "type 1"}}, TYPE == 1),
        ({"product_type": ["type 1"]}, TYPE == 1),
        ({"attributes.yarn": "wool"}, WOOL),
        ({"and": [{"attributes.yarn": {"in": ["wool"]}}, {"price": {"gte": 0}}]}, WOOL),
        ({"product_type": "type 3", "price": {"lt": 80}}, (TYPE == 3) & (PRICE < 80)),
        ({"attributes.yarn": "wool", "price": {"lt": 40}}, WOOL & (PRICE < 40)),
        ({"product_type": ["type 1", "type 2"]}, (TYPE == 1) | (TYPE == 2)),
        ({"product_type": ["type 1", "type 2"], "price": {"lt": 80}}, ((TYPE == 1) | (TYPE == 2)) & (PRICE < 80)),
    ],
    ids=str,
)
def test_a_search_by_a_label_finds_the_nearest_matches(
    conn: Connection, filter_: dict[str, Any], passes: NDArray[np.bool_]
) -> None:
    assert recall(conn, filter_, passes) >= 0.97


@pytest.mark.parametrize(
    "filter_",
    [
        {"or": [{"product_type": "type 1"}, {"price": {"lt": 150}}]},
        {"not": {"product_type": "type 1"}},
        {"product_type": {"ne": "type 1"}},
        {"product_type": ["type 1", None]},
        {"product_type": ["type 1", "rare"]},
        {"product_type": [f"type {n}" for n in range(6)]},
        {"product_type": "rare"},
        {"brand": [f"brand {n}" for n in range(30)]},
        {"price": {"lt": 150}},
    ],
    ids=str,
)
def test_a_filter_that_implies_no_label_with_an_index_reads_no_label(conn: Connection, filter_: dict[str, Any]) -> None:
    assert {row.route for row in search(conn, queries(1)[0], filter_)} <= {"hnsw", "exact"}


@pytest.mark.parametrize(
    "test",
    [
        {"eq": "type 1", "prefix": "type 2"},
        {"eq": "type 1", "ne": "type 1"},
        {"in": ["type 1", "type 2"], "nin": ["type 1", "type 2"]},
    ],
    ids=str,
)
def test_a_second_operator_beside_the_values_of_a_label_excludes_products(
    conn: Connection, test: dict[str, Any]
) -> None:
    assert search(conn, queries(1)[0], {"product_type": test}) == []


def test_a_forced_route_reads_no_label(conn: Connection) -> None:
    for route in ("exact", "hnsw"):
        assert {row.route for row in search(conn, queries(1)[0], {"attributes.yarn": "wool"}, route=route)} == {route}


def test_the_label_with_the_fewest_products_is_read(conn: Connection) -> None:
    steps = conn.execute(
        text(
            "select index_name from shop.explain_search(inputs => cast(:inputs as jsonb), title_weight => 0, filter => "
            """'{"product_type": "type 1", "attributes.yarn": "wool"}') where step = 'image'"""
        ),
        {"inputs": json.dumps([{"vector": vectors(0)[20].tolist(), "model": "toy"}])},
    )
    wool = conn.scalar(text("select label_id from shop.label_index where value = '\"wool\"'"))
    assert steps.scalar() == f"shop.toy_image_label_{wool}"


def test_a_search_by_a_label_alone_says_about_how_many_products_match(conn: Connection) -> None:
    [row, *_] = search(conn, queries(1)[0], {"attributes.yarn": "wool"})
    assert row.total == pytest.approx(4000, rel=0.05)
    assert row.total_is == "about"


@pytest.mark.parametrize(
    ("filter_", "labels"),
    [
        ({"product_type": "type 1"}, ["type 1"]),
        ({"product_type": "type 1", "price": {"lt": 80}}, ["type 1"]),
        ({"attributes.yarn": "silk"}, ["silk"]),
        ({"product_type": ["type 1", "type 2"]}, ["type 1", "type 2"]),
        ({"product_type": ["type 1", "type 2"], "price": {"lt": 80}}, ["type 1", "type 2"]),
    ],
    ids=str,
)
def test_a_search_by_a_label_scans_the_partial_indexes_of_its_labels_only(
    conn: Connection, filter_: dict[str, Any], labels: list[str]
) -> None:
    assert {row.route for row in search(conn, vectors(0)[0], filter_)} == {"label"}
    scanned = conn.execute(
        text(
            "select c.relname, l.value #>> '{}' as value from pg_class c left join shop.label_index l "
            "on c.relname = 'toy_image_label_' || l.label_id "
            "where c.relam = (select oid from pg_am where amname = 'hnsw') "
            "and pg_stat_get_xact_numscans(c.oid) > 0 order by 2"
        )
    )
    assert [row.value for row in scanned] == labels


def test_a_sample_of_a_label_reads_at_most_101_vectors(conn: Connection) -> None:
    read = text("select pg_stat_get_xact_tuples_returned('shop.toy_image_label_pkey'::regclass)")
    vectors_read = text("select pg_stat_get_xact_tuples_returned('shop.toy_image_label'::regclass)")
    label = conn.scalar(text("select max(label_id) from shop.label_index"))
    before = conn.scalar(read), conn.scalar(vectors_read)
    found = conn.scalar(
        text(
            "select cardinality(shop_private.source_sample('(select v.product_id, v.position, v.embedding from "
            f"shop.toy_image_label v where v.label_id = {label})', cast(:vector as halfvec), 'p.price >= 0', 100))"
        ),
        {"vector": str(queries(1)[0].tolist())},
    )
    assert found
    assert conn.scalar(read) - before[0] <= 101
    assert conn.scalar(vectors_read) == before[1], "no sequential scan"


def test_warming_reads_the_indexes_and_tables_of_labels(labelled: Database) -> None:
    names = warm(labelled).relations
    assert {f"shop.toy_{part}_label_{n}" for part in ("image", "title") for n in range(1, 7)} < set(names)
    assert names[-2:] == ["shop.toy_image_label", "shop.toy_title_label"]


def test_under_row_level_security_a_label_finds_the_nearest_visible_products(conn: Connection) -> None:
    conn.exec_driver_sql("create policy cheap on shop.product using (price < 80)")
    conn.exec_driver_sql("alter table shop.product enable row level security")
    conn.exec_driver_sql("select shop_private.follow_row_security()")
    conn.exec_driver_sql("set local role shop_analyst")
    query = vectors(0)[0]
    rows = search(conn, query, {"product_type": "type 1"})
    truth = np.argsort(-np.where((TYPE == 1) & (PRICE < 80), vectors(0) @ query, -2))[:10]
    assert {row.route for row in rows} == {"label"}
    assert len({row.sku for row in rows} & {f"sku {n + 1}" for n in truth}) >= 9
