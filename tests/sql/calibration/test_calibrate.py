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
from db.search.calibration import calibrate, calibration_advice
from tests.support.large_catalog import PRODUCTS, product_id, vectors
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
    assert found.exact_us_per_row > 0 and found.hnsw_us_per_candidate > 0
    tried = [row["ef_search"] for row in found.measured if "ef_search" in row]
    assert tried[:-1] == sorted(tried[:-1]) and tried[-1] == found.ef_search
    assert [row["slack"] for row in found.measured if "slack" in row][-1] == found.slack
    assert {row["filter"] for row in found.measured if "kind" not in row} == {0.039, 0.102, 0.801, 1}
    far = [row for row in found.measured if row.get("kind") == "far from the query"]
    # There is a filter for each of the three most common product types. Products of one type are in many clusters.
    assert len(far) == 3
    assert all(row["recall"] >= 0.9 and row["lowest"] <= row["recall"] for row in found.measured[-3:])
    assert len(progress) == 2 + len(found.measured)
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


def test_a_missed_target_recall_keeps_the_cheapest_setting_with_nearly_the_best_recall(app: Connection) -> None:
    found = calibrate(app, target_recall=0.9999, k=100, queries=150)
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


def test_searches_use_an_index_that_cannot_reach_the_target_and_say_what_would_reach_it(large: Database) -> None:
    nearest = "select * from shop.explain_search('bag', title_weight => 0, keyword_weight => 0) where step = 'image'"
    with large.connect(None) as admin:  # one transaction, so that the test leaves the index as it was
        definition = admin.scalar(
            text("select indexdef from pg_indexes where schemaname = 'shop' and indexname = 'toy_image_hnsw'")
        )
        calibrate(admin, target_recall=0.8, k=10, queries=30)
        assert calibration_advice(admin) is None
        admin.exec_driver_sql("drop index shop.toy_image_hnsw")
        admin.exec_driver_sql(re.sub(r"WITH \(.*?\)|$", "WITH (m=2, ef_construction=4)", definition, count=1))
        found = calibrate(admin, target_recall=0.95, k=10, queries=30)
        assert found.recall is not None and found.recall < 0.95
        assert found.advice is not None and "an index with m 4 and ef_construction 8 instead of 2 and 4" in found.advice
        assert calibration_advice(admin) == found.advice
        first, *_ = admin.execute(text("select * from shop.explain_search('bag')")).all()
        assert (first.step, first.note) == ("calibration", found.advice)
        image = admin.execute(text(nearest)).one()
        assert (image.route, image.ef_search, image.examined) == ("hnsw", found.ef_search, found.ef_search)
        admin.rollback()


def test_the_truth_of_a_calibration_equals_a_comparison_of_all_products_where_the_index_finds_too_few(
    large: Database,
) -> None:
    """Ten products have the type "rare", so the index finds fewer than k of them near a query."""
    k, rare = 5, "p.product_type = 'rare'"
    with large.connect(None) as admin:
        table = admin.scalar(text("select image_table::text from shop_private.search_settings()"))
        names = {"table": table, "k": k, "rare": rare, "queries": [str(vectors(0)[n].tolist()) for n in range(3)]}
        bounds = admin.scalar(
            text(
                "select shop_private.calibration_bounds(cast(cast(:queries as text[]) as halfvec[]), :rare, :k, :table)"
            ),
            names,
        )
        truth = admin.scalar(
            text(
                "select shop_private.calibration_truth(cast(cast(:queries as text[]) as halfvec[]), "
                "array_fill(null::uuid, array[3]), :bounds, array['true', :rare], :k, :table)"
            ),
            {**names, "bounds": bounds},
        )
    catalog, numbers = vectors(0), np.arange(1, PRODUCTS + 1)
    for place, matches in enumerate((numbers > 0, numbers % 2000 == 0)):
        for query in range(3):
            distances = np.where(matches, 1 - catalog @ catalog[query], 9)
            nearest = [product_id(f"sku {number}") for number in numbers[np.argsort(distances)[:k]]]
            assert truth[place][query].strip("{}").replace("-", "").split(",") == nearest
    farthest = [np.sort(1 - catalog[1999::2000] @ catalog[query])[k] for query in range(3)]
    assert bounds == pytest.approx(farthest, abs=0.002)  # not 2: a bound of 2 would keep every product of the catalog


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


def test_the_relevance_floor_is_three_deviations_above_the_mean_similarity_of_random_products(app: Connection) -> None:
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
    with pytest.raises(StatementRefused, match="is not between"):
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
