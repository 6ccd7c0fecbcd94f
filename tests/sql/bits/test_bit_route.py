"""Searches with indexes over bits find nearly all of the nearest products, and return k rows if k products match.

Calibrations, downgrades and rebuilds of these indexes are tested too.

A bit is the sign of one number of a vector. The toy model has 24 dimensions, so an index stores 24 bits for each
vector.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Row, text

from db.engine import Database
from db.lifecycle import deferred_indexes
from db.lifecycle.indexes import every_index
from db.roles import Role
from db.settings import Settings
from db.site_status import schema_checks
from migrations.operations import indexes as index_operations
from migrations.reindex import rebuild_indexes
from migrations.upgrade import downgrade, drift, upgrade
from tests.support.databases import Databases, admin
from tests.support.large_catalog import CLUSTER, PRODUCTS, QUERY, policy, query_vector, vectors
from tests.support.shop import Shop
from windowshop.output.models import outgrown

NUMBERS = np.arange(1, PRODUCTS + 1)
FILTERS: dict[str, tuple[str | None, Any, str]] = {
    "none": (None, NUMBERS > 0, "bit"),
    "half": ('{"price": {"lt": 80}}', NUMBERS * 7919 % 160 < 80, "bit"),
    "a fifth": ('{"attributes.weight": {"lt": 200}}', NUMBERS % 1000 < 200, "bit"),
    "far brands": (
        '{"brand": ["brand 20", "brand 21", "brand 22", "brand 23", "brand 24"]}',
        np.isin(NUMBERS % 50, range(20, 25)),
        "exact",
    ),
    "near brand": (f'{{"brand": "brand {CLUSTER + 1}"}}', NUMBERS % 50 == CLUSTER + 1, "exact"),
    "ten products": ('{"product_type": "rare"}', NUMBERS % 2000 == 0, "exact"),
    "nothing": ('{"brand": "none"}', NUMBERS < 0, "exact"),
}
CALIBRATION = (
    "insert into shop.calibration (model_id, products, k, target_recall, recall, queries, query_kind, ef_search, "
    "slack, exact_us_per_row, hnsw_us_per_candidate, crossover_rows, bits) "
    "values (1, 20000, 10, .98, .99, 60, 'text', 1500, 0.02, 4, 2, 700, 24)"
)


@pytest.fixture(scope="module")
def bit_home(toy_template: tuple[str, Path], public_folder: Path) -> Path:
    home = public_folder / "bit-home"
    shutil.copytree(toy_template[1], home)
    return home


@pytest.fixture(scope="module")
def over_bits(databases: Databases, large: Database, bit_home: Path) -> Database:
    database = databases.copy(str(large.write.database))
    rebuild_indexes(database, Settings(home=bit_home), quantize="bit")
    with database.connect(None) as conn, conn.begin():
        conn.exec_driver_sql(CALIBRATION)
        conn.exec_driver_sql("select shop_private.refresh_common_words()")
    return database


@pytest.fixture
def analyst(over_bits: Database) -> Iterator[Connection]:
    with over_bits.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def call(conn: Connection, function: str, **named: Any) -> list[Row[Any]]:
    given = ", ".join(f"{name} => :{name}" for name in named)
    return list(conn.execute(text(f"select * from shop.{function}({given})"), named).all())


def nearest(passes: Any, k: int, query: Any = None) -> list[str]:
    similarity = np.where(passes, vectors(0) @ (query_vector() if query is None else query), -2)
    return [f"sku {n + 1}" for n in np.argsort(-similarity)[: min(k, int(passes.sum()))]]


@pytest.mark.parametrize("name", FILTERS)
def test_a_search_over_bits_returns_k_rows_and_finds_95_percent_of_the_nearest_products(
    analyst: Connection, name: str
) -> None:
    condition, passes, route = FILTERS[name]
    for k in (10, 60):
        truth = nearest(passes, k)
        rows = call(analyst, "search", query=QUERY, filter=condition, k=k, title_weight=0, keyword_weight=0)
        assert len({row.sku for row in rows}) == len(rows) == len(truth)
        assert len({row.sku for row in rows} & set(truth)) >= 0.95 * len(truth)
        assert {(row.route, row.complete) for row in rows} <= {(route, True)}
        steps = call(analyst, "explain_search", query=QUERY, filter=condition, k=k, title_weight=0, keyword_weight=0)
        [image] = [step for step in steps if step.step == "image"]
        if route == "bit":
            assert (image.route, image.index_name) == ("bit", "shop.toy_image_hnsw")
            assert image.examined >= image.found


@pytest.mark.parametrize("bits", [None, 24])
def test_a_scan_uses_the_index_over_bits_only_if_it_orders_by_the_expression_of_the_index(
    over_bits: Database, bits: int | None
) -> None:
    vector = f"'{query_vector().tolist()}'::halfvec"
    with over_bits.connect(None) as conn:
        order = conn.scalar(text("select shop_private.scan_order(:bits, :vector)"), {"bits": bits, "vector": vector})
        for view, index in (("image_vector", "toy_image_hnsw"), ("title_vector", "toy_title_hnsw")):
            plan = "\n".join(
                conn.exec_driver_sql(
                    f"explain select product_id from shop.{view} i order by {order} limit 200"
                ).scalars()
            )
            assert (f"Index Scan using {index}" in plan) == (bits is not None), plan


def test_an_index_over_bits_of_many_rows_is_an_ivfflat_index_and_reported_when_outgrown(
    over_bits: Database,
) -> None:
    states = _states(over_bits)
    assert {(state.lists, state.m, state.built_over) for state in states} == {(141, None, None)}
    assert outgrown(states) == []
    [image, title] = states
    assert outgrown([replace(image, rows=79_000), replace(image, rows=80_000), replace(title, lists=None, m=16)]) == [
        'toy_image_hnsw was built over about 19,881 vectors, and the table now has about 80,000. "windowshop index '
        'rebuild --model toy" makes searches faster.',
        'toy_title_hnsw was built over few vectors, and the table now has about 20,000. "windowshop index rebuild '
        '--model toy" makes the index smaller.',
    ]


def test_a_vector_that_changes_after_the_build_is_found(over_bits: Database) -> None:
    with over_bits.connect(None) as conn, conn.begin() as transaction:
        conn.execute(
            text(
                "update shop.toy_image set embedding = cast(:v as halfvec) where product_id = shop.product_id('sku 20')"
            ),
            {"v": str(query_vector().tolist())},
        )
        [first, *_] = call(conn, "search", query=QUERY, title_weight=0, keyword_weight=0)
        assert (first.sku, first.route) == ("sku 20", "bit")
        transaction.rollback()


def test_a_search_scans_the_index_and_never_the_whole_table(over_bits: Database) -> None:
    """The statistics of a transaction also count the scans by statements inside functions."""
    with over_bits.connect(None) as conn, conn.begin():
        for condition in (None, '{"price": {"lt": 80}}'):
            before = _scans(conn)
            call(conn, "search", query=QUERY, filter=condition, keyword_weight=0)
            index, table = (now - then for now, then in zip(_scans(conn), before, strict=True))
            assert index >= 1, condition
            assert table == 0, condition


def _scans(conn: Connection) -> tuple[int, int]:
    row = conn.exec_driver_sql(
        "select pg_stat_get_xact_numscans('shop.toy_image_hnsw'::regclass), "
        "pg_stat_get_xact_numscans('shop.toy_image'::regclass)"
    ).one()
    return row[0], row[1]


def test_pages_and_groups_and_sorts_and_cuts_and_facets_work_over_bits(analyst: Connection) -> None:
    first = call(analyst, "search", query=QUERY, k=10)
    assert {row.route for row in first} == {"bit"}
    second = call(analyst, "search", query=QUERY, k=10, after=first[-1].cursor)
    assert len({row.sku for row in first} | {row.sku for row in second}) == 20
    assert len(call(analyst, "search", query=QUERY, route="hnsw", filter='{"brand": "brand 30"}', k=5)) == 5
    assert len(call(analyst, "search", query=QUERY, k=1000, keyword_weight=0)) == 1000
    assert len(call(analyst, "similar", sku="sku 7")) == 10
    assert len(call(analyst, "search", query=QUERY, group_by="brand", k=3)) == 3
    [cut, *_] = call(analyst, "search", query=QUERY, cut="relevant")
    assert cut.total_is == "about"
    assert cut.total > 100
    assert len(call(analyst, "search", query=QUERY, sort="price", k=10)) == 10
    assert call(analyst, "facets", query=QUERY, cut="relevant", fields=["brand"])


def test_walks_from_several_starts_find_the_products_of_a_mix_and_of_a_far_filter(over_bits: Database) -> None:
    with over_bits.connect(None) as conn, conn.begin():
        found = []
        for first, second in ((3, 4000), (800, 12_345), (77, 19_000), (5000, 9001)):
            query = vectors(0)[first] + vectors(0)[second]
            rows = conn.execute(
                text("select sku from shop.search(inputs => cast(:inputs as jsonb), title_weight => 0)"),
                {"inputs": json.dumps([{"sku": f"sku {first + 1}"}, {"sku": f"sku {second + 1}"}])},
            ).all()
            passes = ~np.isin(NUMBERS - 1, (first, second))
            found.append(len({row.sku for row in rows} & set(nearest(passes, 10, query))) / 10)
        assert np.mean(found) >= 0.9, found
        walked = conn.execute(
            text(
                "select cardinality((shop_private.leg_from_starts('image', 'shop.image_vector', 24, v, null, "
                "shop_private.sampled_matches('image', v, c, .1, 20000), c, 10, 10, null)).product_ids) "
                "from (select cast(:query as halfvec) as v, 'p.brand = any(''{brand 20, brand 21, brand 22}'')' as c) q"
            ),
            {"query": str(query_vector().tolist())},
        ).scalar()
        assert walked == 10


def test_a_role_under_a_row_policy_finds_nine_of_the_ten_nearest_products_that_it_sees(over_bits: Database) -> None:
    with policy(over_bits, "price < 80"), over_bits.connect(Role.ANALYST) as conn:
        rows = call(conn, "search", query=QUERY, title_weight=0, keyword_weight=0)
        assert len(rows) == 10
        assert {row.route for row in rows} == {"bit"}
        truth = nearest(NUMBERS * 7919 % 160 < 80, 10)
        assert len({row.sku for row in rows} & set(truth)) >= 9


def test_only_a_calibration_over_bits_sets_bit_candidates(
    over_bits: Database,
) -> None:
    with over_bits.connect(None) as conn, conn.begin() as transaction:
        conn.exec_driver_sql("delete from shop.calibration")
        unknown = conn.exec_driver_sql("select bit_candidates from shop_private.search_settings()").scalar()
        made = conn.exec_driver_sql("select * from shop.calibrate(target_recall => 0.9, queries => 5)").one()
        assert made.bits == 24
        assert made.recall >= 0.9 or made.advice.endswith("finds more of the nearest products")
        assert [entry["ef_search"] for entry in made.measured if entry["filter"] == 1 and "kind" not in entry]
        assert len([entry for entry in made.measured if entry["filter"] < 1 and "kind" not in entry]) == 3
        settings = conn.exec_driver_sql("select * from shop_private.search_settings()").one()
        assert unknown == pytest.approx(707, rel=0.1)  # 5 times the square root of the estimated number of vectors
        assert (settings.image_bits, settings.title_bits) == (24, 24)
        assert settings.bit_candidates == made.ef_search
        conn.exec_driver_sql("update shop.calibration set bits = null, ef_search = 40")
        other = conn.exec_driver_sql("select * from shop_private.search_settings()").one()
        assert (other.bit_candidates, other.exact_limit) == (unknown, 40_000)
        transaction.rollback()


def test_the_check_of_the_database_names_the_indexes_over_bits(over_bits: Database) -> None:
    with over_bits.connect(None) as conn:
        found = schema_checks.indexes(conn, over_bits.roles)
    assert found.message == "all are valid; over bits: toy_image_hnsw, toy_title_hnsw"


@pytest.fixture
def small(databases: Databases, toy_template: tuple[str, Path], settings: Settings) -> Iterator[Shop]:
    """Yields a shop of 300 products whose indexes are over bits. `settings.home` has the revisions."""
    shutil.copytree(toy_template[1], settings.home)
    shop = Shop(databases.copy(toy_template[0]))
    shop.add(*(f"sku {n}" for n in range(300)))
    shop.encode_all()
    shop.cache(QUERY)
    rebuild_indexes(shop.database, settings, quantize="bit")
    yield shop
    shop.close()


def test_a_downgrade_brings_the_vectors_back_into_the_index(small: Shop, settings: Settings) -> None:
    database = small.database
    assert {state.quantize for state in _states(database)} == {"bit"}
    downgrade(database, settings, "site@-1")
    assert {(state.name, state.quantize, state.valid) for state in _states(database)} == {
        ("toy_image_hnsw", "none", True),
        ("toy_title_hnsw", "none", True),
    }
    with database.connect(Role.ANALYST) as conn:
        rows = call(conn, "search", query=QUERY, title_weight=0, keyword_weight=0, route="hnsw")
        assert {row.route for row in rows} == {"hnsw"}


BUILD = "create index toy_image_hnsw_next on shop.toy_image using hnsw "
OVER_BITS = "((binary_quantize(embedding::halfvec)::bit(24)) bit_hamming_ops) with (m = 16, ef_construction = 64); "
INVALID = "update pg_index set indisvalid = false where indexrelid = 'shop.toy_image_hnsw_next'::regclass"
INTERRUPTIONS = {
    "in the build": BUILD + OVER_BITS + INVALID,
    "after the build": BUILD + OVER_BITS,
    "before the renaming": BUILD + OVER_BITS + "drop index shop.toy_image_hnsw",
    "of a rebuild over vectors": BUILD + "(embedding halfvec_cosine_ops) with (m = 16, ef_construction = 64)",
}


@pytest.mark.parametrize("moment", INTERRUPTIONS)
def test_an_interrupted_rebuild_over_bits_is_finished_by_the_next_upgrade(
    databases: Databases,
    toy_template: tuple[str, Path],
    settings: Settings,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    database = databases.copy(toy_template[0])
    shutil.copytree(toy_template[1], settings.home)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patched.setattr(index_operations, "CreateHnswIndex", interrupted)
        rebuild_indexes(database, settings, quantize="bit")
    assert {state.quantize for state in _states(database)} == {"none"}
    admin(database, INTERRUPTIONS[moment])
    upgrade(database, settings)
    assert {(state.name, state.quantize, state.valid) for state in _states(database)} == {
        ("toy_image_hnsw", "bit", True),
        ("toy_title_hnsw", "bit", True),
    }


def test_a_rebuild_with_another_m_keeps_the_indexes_over_bits(small: Shop, settings: Settings) -> None:
    written = rebuild_indexes(small.database, settings, m=8)
    assert "was=(16, 64), bits=24, was_bits=24)" in written.read_text()
    assert {(state.m, state.quantize) for state in _states(small.database)} == {(8, "bit")}
    drift(small.database, settings)


def test_a_deferred_index_is_built_with_the_number_of_ivfflat_lists_that_suits_its_rows(
    databases: Databases, toy_template: tuple[str, Path]
) -> None:
    database = databases.copy(toy_template[0])
    admin(
        database,
        "drop index shop.toy_image_hnsw; "
        "insert into shop.deferred_index (name, table_name, definition) values ('toy_image_hnsw', 'toy_image', "
        "'CREATE INDEX toy_image_hnsw ON shop.toy_image USING ivfflat "
        "(((binary_quantize(embedding::halfvec))::bit(24)) bit_hamming_ops) WITH (lists=''400'')')",
    )
    assert [state.lists for state in _states(database) if state.state == "deferred"] == [400]
    assert deferred_indexes.build(database) == ["toy_image_hnsw"]
    assert [(state.lists, state.state) for state in _states(database) if state.part == "image"] == [(1, "valid")]


def _states(database: Database) -> list[Any]:
    with database.connect(Role.ANALYST) as conn:
        return every_index(conn, {})
