"""Runs the benchmarks of searches, of the web service, and of rules and signals with a thousand products.

A cell is one kind of query with one filter. The oracle is the fastest forced plan that reaches the target recall. A
peer is another library for vector search.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.relevance import ranking_cost
from benchmarks.search import chart, filtered, pages, postgres, throughput, unfiltered
from benchmarks.search.bits import quantized
from benchmarks.search.data import KINDS, SHARES, Catalog
from benchmarks.search.load import MODEL, Shop, copied, fill, load, product_numbers, products
from benchmarks.search.peers import Faiss, Hnswlib, Peer, peers
from benchmarks.search.postgres import Sessions
from benchmarks.search.timing import Questions, Strategy, trial
from benchmarks.search.titles import query_texts
from benchmarks.search.writes import build, churn
from benchmarks.support.report import keep
from benchmarks.web import service as web
from db.engine import Database
from db.lifecycle import deferred_indexes
from db.settings import Settings
from tests.support.databases import Databases

ROWS, QUERIES = 1000, 2


@pytest.fixture(scope="module")
def shop(databases: Databases, template: str, public_folder: Path) -> Shop:
    database, catalog = databases.copy(template), Catalog(ROWS)
    load(database, Settings(home=public_folder / "bench-home"), catalog)
    return Shop(catalog, database, product_numbers(ROWS), public_folder)


@pytest.fixture(scope="module")
def others(shop: Shop) -> list[Peer]:
    """Returns hnswlib and Faiss, each only if it is installed."""
    return peers(shop.catalog, shop.folder, [Hnswlib, Faiss])


@pytest.fixture(scope="module")
def cells(shop: Shop) -> list[filtered.Cell]:
    return list(filtered.cells(shop.catalog, QUERIES))


def test_each_category_and_price_limit_matches_its_share_of_the_products(shop: Shop) -> None:
    with shop.admin() as conn:
        for share in SHARES:
            matching = max(1, round(ROWS * share))
            kind = conn.execute("select count(*) from shop.product where product_type = %s", [f"c{share * 100:g}"])
            assert kind.fetchone() == (matching,)
            if share * ROWS >= 1:
                price = conn.execute("select count(*) from shop.product where price < %s", [share * 1000])
                assert price.fetchone() == (matching,)


def test_after_loading_every_product_is_searchable_and_no_work_item_is_left(shop: Shop) -> None:
    with shop.admin() as conn:
        assert conn.execute("select count(*) from shop_private.work").fetchone() == (0,)
        assert conn.execute("select count(*) from shop.searchable").fetchone() == (ROWS,)


def test_recall_is_the_share_of_the_nearest_matching_products_in_the_answer(shop: Shop) -> None:
    queries = shop.catalog.queries("text", QUERIES)
    similarity = queries.vectors.astype("f4") @ shop.catalog.images.astype("f4").T
    matching = shop.catalog.category == 0
    similarity[:, ~matching] = -1
    nearest = (-similarity).argsort(axis=1)[:, :20]
    questions = Questions(shop.catalog.images, queries, matching)

    assert questions.recall(0, nearest[0, :10]) == 1
    assert questions.recall(0, nearest[0, 5:15]) == 0.5
    assert questions.recall(0, [*nearest[0, :5]] * 2) == 0.5
    assert questions.recall(0, (~matching).nonzero()[0]) == 0
    short = trial(Strategy("half", questions, lambda number: nearest[number, :5]))
    assert short is not None
    assert (short.recall, short.short) == (0.5, QUERIES)


def test_an_exact_search_finds_the_nearest_products_in_every_cell(shop: Shop, cells: list[filtered.Cell]) -> None:
    with Sessions(shop) as sessions:
        for cell in cells:
            for strategy in postgres.exact(sessions, cell.filter.condition, cell.questions):
                figures = trial(strategy)
                assert figures is not None
                assert (figures.recall, figures.short) == (1, 0), (cell.name, strategy.name)


def test_every_cell_of_one_kind_has_figures_of_the_oracle_the_planner_and_the_peers(
    shop: Shop, cells: list[filtered.Cell], others: list[Peer], tmp_path: Path
) -> None:
    with_search = postgres.calibrate(shop)
    report = filtered.run(shop, others, QUERIES, KINDS[:1], with_search=with_search)

    shares = {"own": [*SHARES], "other": [*SHARES], "price": [1.0, *SHARES], "weight": [0.05], "all": [1.0]}
    raw = report.raw["cells"]
    assert isinstance(raw, list)
    assert [(cell["kind"], cell["family"], cell["share"]) for cell in raw] == [
        (cell.kind, cell.family, cell.share) for cell in cells if cell.kind == KINDS[0]
    ]
    for family, expected in shares.items():
        found = [cell["share"] for cell in raw if cell["family"] == family]
        assert sorted(found, reverse=True) == expected
    for cell in raw:
        assert cell["oracle"]["recall"] >= filtered.TARGET
        assert set(cell["figures"]) == {"planner, stock", "planner, iterative", *(peer.name for peer in others)} | (
            {filtered.SEARCH} if with_search else set()
        )
    assert sum(len(table.rows) for table in report.tables) == len(raw)

    pytest.importorskip("matplotlib")
    keep(report.name, report.title, report.lines, report.raw, report.tables, folder=tmp_path)
    drawn = chart.draw(tmp_path)
    assert drawn is not None
    assert drawn.stat().st_size > 10_000


def test_peers_are_measured_at_the_target_recall_without_a_filter(shop: Shop, others: list[Peer]) -> None:
    report = unfiltered.run(shop, others, QUERIES, with_search=False)

    for table in report.tables:
        assert [row[0] for row in table.rows] == [unfiltered.RAW, *(peer.name for peer in others)]
        assert all(float(row[2]) >= unfiltered.TARGET for row in table.rows)


def test_pages_of_a_result_and_counts_of_the_catalog_are_measured(shop: Shop) -> None:
    report = pages.run(shop, QUERIES, 1.5)

    assert [row[3] for table in report.tables for row in table.rows] == ["1.000", "1.000"]
    assert {line.what for line in report.lines} >= {"shop.coverage, p50", "shop.model_coverage, p50"}
    assert min(report.raw["count_seconds"].values()) > 0  # type: ignore[attr-defined]  # raw is a mapping of objects
    facets: dict[str, list[float]] = report.raw["facet_seconds"]  # type: ignore[assignment]
    assert [len(seconds) for seconds in facets.values()] == [pages.CALLS] * 3


def test_indexes_over_bits_and_over_vectors_are_compared_and_then_dropped(shop: Shop) -> None:
    report = quantized.run(shop, QUERIES)

    found = {line.what: line.measured for line in report.lines}
    assert 0.03 < float(found["size of the index over bits / of the index over vectors"]) < 0.3
    assert [len(table.rows) for table in report.tables] == [7, 3]
    with shop.admin() as conn:
        left = conn.execute("select relname from pg_class where relname ~ '^bench_(bits|vectors|graph)$'").fetchall()
    assert left == []


@pytest.mark.soak
def test_a_changing_catalog_is_measured_after_each_round_and_vacuum_and_rebuild(shop: Shop) -> None:
    postgres.calibrate(shop)
    report = churn.run(shop, QUERIES)

    assert [row[0] for row in report.tables[0].rows] == [
        "at the beginning",
        "10% of the images replaced",
        "10% of the images replaced, VACUUM",
        "30% of the images replaced",
        "30% of the images replaced, VACUUM",
        "index rebuild and calibrate",
    ]
    assert all(float(line.measured) > 0.9 for line in report.lines if line.what.endswith("lowest recall@10"))
    with shop.admin() as conn:
        assert conn.execute("select count(*) from pg_database where datname = 'bench_churn'").fetchone() == (0,)


def test_an_encoder_and_copy_write_the_same_vectors_and_indexes(
    databases: Databases, template: str, public_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferred_indexes, "MANY", ROWS)
    database, catalog = databases.copy(template), Catalog(ROWS)
    fill(database, Settings(home=public_folder / "build-home"), MODEL, ROWS, products(catalog))
    loaded = Shop(catalog, database, product_numbers(ROWS), public_folder)
    own, bare = build.measure(loaded)

    steps = ["image vectors", "title vectors", "image index", "title index", "ANALYZE"]
    assert list(own) == list(bare) == steps
    with loaded.admin() as conn:
        for part in ("image", "title"):
            different = conn.execute(
                f"select count(*) from shop.bench_{part} join shop.bare_{part} b using (product_id) "
                f"where bench_{part}.embedding <> b.embedding"
            )
            assert different.fetchone() == (0,)
            options = conn.execute(
                "select count(distinct reloptions) from pg_class where relname = any(%s)",
                ([f"bench_{part}_hnsw", f"bare_{part}_hnsw"],),
            )
            assert options.fetchone() == (1,)
    report = build.report(ROWS, own, bare, {}, "")
    assert [line.goal for line in report.lines] == ["<= 1.15 x", "", ""]


@pytest.mark.soak
def test_the_throughput_of_one_session_and_of_three_sessions_is_measured(
    shop: Shop, others: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput, "SECONDS", 0.3)
    monkeypatch.setattr(throughput, "SESSIONS", (1, 3))
    report = throughput.run(shop, others, QUERIES)

    assert [row[0] for row in report.tables[0].rows] == ["1", "3"]
    assert all(float(rate) > 1 for row in report.tables[0].rows for rate in row[1:])
    assert all(line.measured.endswith("/s") for line in report.lines)


@pytest.mark.soak
def test_the_web_service_is_measured_idle_and_under_load_and_at_overload(
    shop: Shop, environment: Callable[[Database], dict[str, str]]
) -> None:
    queries = shop.catalog.queries("text", 10)
    texts = query_texts(shop.catalog, queries.clusters, "mixed")
    postgres.remember(shop, texts, queries)
    effort = web.Effort(turns=1, seconds=0.5, overload_seconds=1, overload_turns=2, clients=(1, 2))
    measured = web.measure("tiny", shop.database, environment(shop.database), texts, effort)

    assert set(map(len, measured.seconds.values())) == {web.TURN}
    for answers in measured.loads.values():
        assert set(answers.counted()) == {200}
    assert set(measured.overload.asked.counted()) <= {200, 503}
    sent = [len(turn.answers) for turn in measured.overload.turns]
    assert sent == [int(web.OVERLOAD * peak / 2) for peak in measured.overload.peaks]
    assert min(measured.sizes) > 300 and len(measured.sizes) == len(texts)
    assert min(measured.overload.memory) > 0
    lines, raw, tables = web.report([measured])
    assert sum(line.met is not None for line in lines) == 8
    assert [len(table.rows) for table in tables] == [1, 2]
    json.dumps(raw)


@pytest.mark.soak
def test_searches_are_timed_without_rules_with_unused_rules_and_with_used_rules(shop: Shop) -> None:
    queries = shop.catalog.queries("text", 20, seed=11)
    texts = query_texts(shop.catalog, queries.clusters, "mixed")
    postgres.remember(shop, texts, queries)
    questions = Questions(shop.catalog.images, queries)
    with copied(shop, "bench_without") as without:
        ranking_cost.remove_calls(without)
        bare, plain = ranking_cost.measure({"without": without, "not used": shop}, questions, texts)
    with copied(shop, "bench_used") as used:
        assert ranking_cost.use(used, texts) > 1
        _, in_use = ranking_cost.measure({"not used": shop, "used": used}, questions, texts)
    assert len(bare.seconds) == len(plain.seconds) == len(in_use.seconds) == len(texts)
    assert bare.recall == plain.recall
