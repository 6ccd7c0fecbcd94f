"""shop.calibrate measures searches of the catalog. Later searches choose their route with these measurements."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console
from sqlalchemy import Connection, text

from db.engine import Database
from db.errors import DatabaseError, StatementRefused
from db.roles import Role
from db.search.calibration import STEP, calibrate, calibration_advice
from tests.support.large_catalog import PRODUCTS, product_id, vectors
from tests.support.processes import wait_until
from windowshop.output.hits import print_calibration

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture
def app(large: Database) -> Iterator[Connection]:
    """Yields a connection of the app role and rolls back its transaction after the test."""
    with large.connect(Role.APP) as conn:
        yield conn
        conn.rollback()


def test_the_calibrated_settings_reach_the_target_recall(app: Connection) -> None:
    progress: list[str] = []
    found = calibrate(app, target_recall=0.95, k=10, queries=30, on_progress=progress.append)
    assert found.query_kind == "image"  # the query cache has only one text, so images of the catalog are the queries
    assert found.queries == 30
    assert found.recall is not None and found.recall >= 0.95
    assert found.products == pytest.approx(PRODUCTS, rel=0.02)
    assert found.exact_us_per_row >= 0.5 and found.hnsw_us_per_candidate > 0
    assert found.crossover_rows <= 20_000
    tried = [row["ef_search"] for row in found.measured if "ef_search" in row]
    assert tried[:-1] == sorted(tried[:-1]) and tried[-1] == found.ef_search
    chosen = [row["slack"] for row in found.measured if "slack" in row][-1]
    assert found.slack == pytest.approx(1.5 * chosen)  # a filter on the query's own category needs a larger margin
    assert {row["filter"] for row in found.measured if "kind" not in row} == {0.039, 0.102, 0.801, 1}
    far = [row for row in found.measured if row.get("kind") == "far from the query"]
    # Each of these filters passes one of the three most common product types. The recall is high although the queries
    # are nearest to other types, because the products of one type are in many clusters.
    assert len(far) == 3
    assert all(row["recall"] >= 0.9 and row["lowest"] <= row["recall"] for row in found.measured[-3:])
    assert len(progress) == 1 + len(found.measured)
    assert progress[0] == f"30 image queries among {found.products} products"
    settings = app.execute(text("select * from shop_private.search_settings()")).one()
    assert (settings.ef_search, settings.stop_margin) == (found.ef_search, found.slack)

    said = StringIO()
    print_calibration(found, Console(file=said, width=200))
    assert all(f"{row['candidates']:.0f}" in said.getvalue() for row in found.measured)

    # Compute the same recall with numpy, for 30 other images of the catalog as queries.
    catalog = vectors(0)
    hits = 0
    for n in range(500, 530):
        truth = set(np.argsort(-catalog @ catalog[n])[:10] + 1)
        rows = app.execute(
            text(
                "select sku from shop.search(inputs => jsonb_build_array(jsonb_build_object('vector', "
                "cast(:vector as jsonb), 'model', 'toy')), route => 'hnsw')"
            ),
            {"vector": str([float(x) for x in catalog[n]])},
        )
        hits += len(truth & {int(row.sku.split()[1]) for row in rows})
    assert hits / 300 >= 0.93


def test_each_comparison_runs_twice_so_that_the_timed_run_reads_no_disk(large: Database) -> None:
    with large.connect(None) as conn:
        conn.execute(text("set track_functions = 'all'"))  # only an administrator may count calls
        conn.execute(
            text(
                "select shop_private.calibration_exact_ms(array_agg(i.embedding), array_agg(i.product_id), 1, 10, "
                "(shop_private.search_settings()).image_table) "
                "from (select embedding, product_id from shop.image_vector limit 3) i"
            )
        )
        calls = conn.scalar(text("select pg_stat_get_xact_function_calls('shop_private.exact_leg'::regproc)"))
        conn.rollback()
    assert calls == 6


def test_a_missed_target_recall_keeps_the_cheapest_setting_with_nearly_the_best_recall(app: Connection) -> None:
    found = calibrate(app, target_recall=0.9999, k=100, queries=30)
    for setting in ("ef_search", "slack"):
        for share in {row["filter"] for row in found.measured if setting in row}:
            tried = [row for row in found.measured if setting in row and row["filter"] == share]
            chosen = tried[-1]
            if chosen["lowest"] >= 0.9999:
                continue
            best = max(row["recall"] for row in tried)
            assert chosen["recall"] >= best - 0.005
            assert all(row["recall"] < best - 0.005 for row in tried if row[setting] < chosen[setting])
            assert chosen in found.missed()
    last = [row for row in found.measured if "ef_search" in row][-1]
    assert last in found.missed() and found.ef_search == last["ef_search"]
    said = StringIO()
    print_calibration(found, Console(file=said, width=200))
    assert f"with 95% confidence at least {last['lowest']:.3f}, below the target 0.9999" in said.getvalue()
    rows = app.execute(text("select route from shop.search('bag', title_weight => 0, keyword_weight => 0)"))
    assert {row.route for row in rows} == {"hnsw"}


def test_searches_use_an_index_that_misses_the_target_and_the_advice_names_a_better_index(large: Database) -> None:
    """With the index that misses the target, searches with a filter cost at most three times as much as with an index
    that reaches the target. The cost is the number of rows that a search examines, plus 80, because the call itself
    takes about as long as 80 candidates."""
    nearest = "select * from shop.explain_search('bag', title_weight => 0, keyword_weight => 0) where step = 'image'"
    with large.connect(None) as admin:  # one transaction, so that the test leaves the index as it was
        definition = admin.scalar(
            text("select indexdef from pg_indexes where schemaname = 'shop' and indexname = 'toy_image_hnsw'")
        )
        calibrate(admin, target_recall=0.95, k=10, queries=30)
        reachable = examined_with_filters(admin)
        admin.exec_driver_sql("drop index shop.toy_image_hnsw")
        admin.exec_driver_sql(re.sub(r"WITH \(.*?\)|$", "WITH (m=4, ef_construction=8)", definition, count=1))
        found = calibrate(admin, target_recall=0.95, k=10, queries=30)
        assert found.recall is not None and found.recall < 0.95
        assert found.advice is not None
        assert "an index with m 8 and ef_construction 16 instead of 4 and 8" in found.advice
        assert calibration_advice(admin) == found.advice
        first, *_ = admin.execute(text("select * from shop.explain_search('bag')")).all()
        assert (first.step, first.note) == ("calibration", found.advice)
        image = admin.execute(text(nearest)).one()
        # The scan is compared with 3,000 vectors, and if it missed one of them, all products are compared.
        assert image.examined == found.ef_search + {"hnsw": 3000, "exact": PRODUCTS}[image.route]
        assert 80 + examined_with_filters(admin) <= 3 * (80 + reachable)
        admin.rollback()


def examined_with_filters(conn: Connection) -> int:
    """Returns the median number of rows that 30 searches by image examine. Three filters pass different shares of
    products.

    The function first replaces the measured times by the default times, because other load on the machine changes the
    measured times and with them the route.
    """
    conn.exec_driver_sql(
        "update shop.calibration set exact_us_per_row = 4, hnsw_us_per_candidate = 10, "
        "crossover_rows = greatest(100, ef_search * 2.5)"
    )
    catalog = vectors(0)
    examined = [
        conn.scalar(
            text(
                "select max(rows_examined) from shop.search(inputs => jsonb_build_array(jsonb_build_object('vector', "
                "cast(:vector as jsonb), 'model', 'toy')), filter => cast(:filter as jsonb), title_weight => 0)"
            ),
            {"vector": str([float(x) for x in catalog[n]]), "filter": f'{{"price": {{"lt": {price}}}}}'},
        )
        for price in (128, 48, 16)
        for n in range(700, 710)
    ]
    return int(np.median(examined))


@pytest.mark.parametrize(
    ("condition", "parts"),
    [
        ("p.product_type = 'rare'", [True]),  # ten products, so the index finds fewer than k of them near a query
        ("p.price < 16", [False, True, True]),  # one call compares 300 queries with only a part of the catalog
    ],
)
def test_the_truth_of_a_calibration_equals_a_comparison_of_all_products(
    large: Database, condition: str, parts: list[bool]
) -> None:
    k, catalog, numbers = 5, vectors(0), np.arange(1, PRODUCTS + 1)
    repeated = 1 if len(parts) == 1 else 100
    matching = numbers % 2000 == 0 if "rare" in condition else numbers * 7919 % 160 < 16
    with large.connect(None) as admin:
        names = {"condition": condition, "k": k, "queries": [str(catalog[n].tolist()) for n in range(3)]}
        names["table"] = admin.scalar(text("select image_table::text from shop_private.search_settings()"))
        admin.execute(
            text(
                "insert into shop_private.calibration_run (model_id, measures, products, k, target_recall, session, "
                "vectors) values (1, '{}', 20000, :k, 0.9, 0, cast(cast(:queries as text[]) as halfvec[]))"
            ),
            names,
        )
        run = "from shop_private.calibration_run r"
        assert admin.scalar(text(f"select shop_private.calibration_bounds(r, :condition, :table, null) {run}"), names)
        listed = "select {} from shop_private.calibration_list where step = '{}' order by condition, query"
        bounds = admin.scalars(text(listed.format("distances[1]", "bounds"))).all()
        compare = text(
            "select shop_private.calibration_truth('truth', "
            "array(select r.vectors[n % 3 + 1] from generate_series(0, 3 * :repeated - 1) n), "
            "array_fill(null::uuid, array[3 * :repeated]), cast(:bounds as float8[]), array['true', :condition], :k, "
            f":table, clock_timestamp()) {run}"
        )
        names |= {"bounds": repeated * list(bounds), "repeated": repeated}
        scans = text("select idx_scan from pg_stat_xact_user_tables where relid = cast(:table as regclass)")
        by_index = admin.scalar(scans, names)
        assert [admin.scalar(compare, names) for _ in parts] == parts
        assert admin.scalar(scans, names) == by_index  # no index scan, because it would read the whole table
        truth = admin.scalars(text(listed.format("product_ids", "truth"))).all()
        admin.rollback()
    for place, matches in enumerate((numbers > 0, matching)):
        for query in range(3):
            distances = np.where(matches, 1 - catalog @ catalog[query], 9)
            nearest = [product_id(f"sku {number}") for number in numbers[np.argsort(distances)[:k]]]
            found = truth[3 * repeated * place + query : 3 * repeated * (place + 1) : 3]
            assert [[one.hex for one in list_] for list_ in found] == repeated * [nearest]
    farthest = [np.sort(1 - catalog[matching] @ catalog[query])[k] for query in range(3)]
    assert bounds == pytest.approx(farthest, abs=0.002)  # not 2: a bound of 2 would keep every product of the catalog


def test_a_stopped_calibration_goes_on_after_its_last_step_without_locks_between_steps(large: Database) -> None:
    arguments = {"target": 0.9, "k": 10, "queries": 5, "seconds": 0, "first": False}  # a step is one search
    lists = text("select count(*) from shop_private.calibration_list")
    finished = text("select jsonb_object_keys(done) from shop_private.calibration_run")
    with large.connect(None) as admin:
        with large.connect(Role.APP) as stopped:
            conn = stopped.execution_options(isolation_level="AUTOCOMMIT")
            pid = conn.scalar(text("select pg_backend_pid()"))
            for _ in range(22):
                assert conn.execute(STEP, arguments).one_or_none() is None
                admin.exec_driver_sql("lock table shop.product, shop.searchable in access exclusive mode nowait")
                admin.rollback()
            with pytest.raises(DatabaseError, match="another session is calibrating"):
                admin.execute(STEP, {**arguments, "k": 5})
            admin.rollback()
        wait_until(lambda: ended(admin, pid), 30, "the end of the first session")
        before, trials = admin.scalar(lists), set(admin.scalars(finished))
        assert any(trial.startswith("without a filter") for trial in trials)
        with large.connect(Role.APP) as killed:  # neither step is committed
            assert killed.execute(STEP, arguments).one_or_none() is None
            assert killed.execute(STEP, {**arguments, "k": 5}).one_or_none() is None
            pid = killed.scalar(text("select pg_backend_pid()"))
        assert (admin.scalar(lists), set(admin.scalars(finished))) == (before, trials)
        wait_until(lambda: ended(admin, pid), 30, "the end of the second session")
        progress: list[str] = []
        try:
            with large.connect(Role.APP) as continued:
                conn = continued.execution_options(isolation_level="AUTOCOMMIT")
                found = calibrate(conn, target_recall=0.9, k=10, queries=5, on_progress=progress.append, step_seconds=0)
            assert progress[0].startswith("continuing the calibration that began at ")
            assert not [line for line in progress if line.split(": recall")[0] in trials]
            assert [row["ef_search"] for row in found.measured if "ef_search" in row][-1] == found.ef_search
            assert admin.scalar(lists) == 0 and admin.scalars(finished).all() == []
        finally:
            admin.rollback()
            admin.exec_driver_sql("delete from shop.calibration")
            admin.commit()


def ended(admin: Connection, pid: int) -> bool:
    admin.rollback()  # pg_stat_activity stays the same within a transaction
    return not admin.scalar(text("select exists (select from pg_stat_activity where pid = :pid)"), {"pid": pid})


def test_calibration_uses_cached_query_texts_if_there_are_enough(app: Connection, large: Database) -> None:
    with large.connect(None) as admin, admin.begin():
        admin.exec_driver_sql(
            "insert into shop_private.query_embedding (model_id, key, query, embedding) "
            "select 1, decode(md5(v.product_id::text), 'hex'), 'text ' || v.product_id, v.embedding "
            "from shop.title_vector v limit 25"
        )
    try:
        found = calibrate(app, target_recall=0.9, k=10, queries=25)
        assert (found.query_kind, found.queries) == ("text", 25)
    finally:
        with large.connect(None) as admin, admin.begin():
            admin.exec_driver_sql("delete from shop_private.query_embedding where query like 'text %%'")


def test_the_relevance_floor_is_three_deviations_above_the_mean_of_random_products(app: Connection) -> None:
    with pytest.raises(DatabaseError, match="never calibrated"):
        app.execute(text("select shop.relevance_floor()"))
    app.rollback()
    found = calibrate(app, target_recall=0.9, k=10, queries=10)
    floor = app.scalar(text("select shop.relevance_floor()"))
    assert floor == pytest.approx(found.background_mean + 3 * found.background_deviation)
    catalog = vectors(0)
    queries = catalog[:200]
    assert found.background_mean == pytest.approx(float((queries @ catalog[5000:7000].T).mean()), abs=0.05)


@pytest.mark.parametrize("figures", [(0.2, 10, 60), (1.0, 10, 60), (0.98, 0, 60), (0.98, 10, 2)])
def test_arguments_out_of_range_are_rejected(app: Connection, figures: tuple[float, int, int]) -> None:
    target, k, queries = figures
    with pytest.raises(StatementRefused, match="must be from"):
        calibrate(app, target_recall=target, k=k, queries=queries)


def test_a_shop_without_vectors_cannot_be_calibrated(shop: "Shop") -> None:
    with shop.database.connect(Role.APP) as conn, pytest.raises(DatabaseError, match="no image is encoded"):
        calibrate(conn, target_recall=0.98, k=10, queries=60)


def test_calibration_of_a_catalog_of_30_products_does_not_measure_the_index(shop: "Shop") -> None:
    shop.add(*(f"s{n}" for n in range(30)))
    shop.encode_all()
    with shop.database.connect(Role.APP) as conn, conn.begin():
        found = calibrate(conn, target_recall=0.98, k=10, queries=10)
    assert found.recall is None
    assert found.measured == []


def test_an_analyst_cannot_calibrate(large: Database) -> None:
    with large.connect(Role.ANALYST) as conn, pytest.raises(StatementRefused, match="permission denied"):
        calibrate(conn, target_recall=0.98, k=10, queries=60)
