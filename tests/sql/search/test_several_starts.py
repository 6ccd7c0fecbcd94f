"""Searches find the nearest products although a single walk through the HNSW index can miss them. A walk is a scan that
starts near another vector than the query. A far filter excludes the products nearest to the query.

Some of these searches have several inputs, some have a far filter, and some are in one of several catalogs.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, text

from db.engine import Database
from db.search import ranking
from db.search.ranking import SearchParams
from tests.support.large_catalog import CLUSTERS, PRODUCTS, calibration, query_vector, vectors


@pytest.fixture
def calibrated(large: Database) -> Iterator[Connection]:
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.exec_driver_sql(calibration(crossover_rows=400))
        yield conn
        if transaction.is_active:  # false if the fixture `catalogs` has already rolled the transaction back
            transaction.rollback()


@pytest.fixture
def catalogs(calibrated: Connection, large: Database) -> Iterator[Connection]:
    """Yields a connection to a database with three catalogs. "main" has 16,000 products, "second" has 3,960 products
    and "third" has 40 products. The estimates in other tests depend on the size and the statistics of the table. A
    rollback does not restore them, so VACUUM does this afterwards."""
    for statement in (
        "set local session_replication_role = replica",
        # Without this constraint, products can keep their ids when their catalog changes.
        "alter table shop.product drop constraint product_identity_check",
        "insert into shop.catalog (catalog) values ('second'), ('third')",
        "update shop.product set catalog = 'second' where mod(substr(sku, 5)::integer, 5) = 0",
        "update shop.product set catalog = 'third' where mod(substr(sku, 5)::integer, 500) = 0",
        "analyze shop.product",
    ):
        calibrated.exec_driver_sql(statement)
    yield calibrated
    calibrated.rollback()
    with large.connect(None) as conn:
        conn.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum (full, analyze) shop.product")


def nearest(query: NDArray[Any], passes: NDArray[np.bool_], k: int = 10) -> set[str]:
    similarity = np.where(passes, vectors(0) @ query, -2)
    return {f"sku {n + 1}" for n in np.argsort(-similarity)[:k]}


def mixes(count: int) -> Iterator[tuple[list[int], list[float], NDArray[Any]]]:
    random, images = np.random.default_rng(8), vectors(0)
    for number in range(count):
        products = random.choice(PRODUCTS, 2 + number % 2, replace=False)
        weights = [0.9, 0.7, -0.4][: len(products)]
        mixed = np.array(weights) @ images[products]
        yield products.tolist(), weights, mixed / np.linalg.norm(mixed)


def walked(
    conn: Connection, starts: list[Any] | None, query: NDArray[Any], condition: str, share: float | None = None
) -> set[str]:
    """Returns the SKUs that walks find. The walks begin at `starts`, or at sampled matches if `share` is given."""
    rows = conn.execute(
        text(
            "select p.sku from unnest((shop_private.leg_from_starts('image', 'shop.image_vector', null, "
            "cast(:query as halfvec), cast(:starts as halfvec[]), case when cast(:share as float) > 0 "
            "then shop_private.sampled_matches('image', cast(:query as halfvec), :condition, :share, 20000) end, "
            ":condition, 10, 10, null)).product_ids) "
            "l(product_id) join shop.product p using (product_id)"
        ),
        {
            "query": str(query.tolist()),
            "starts": None if starts is None else [str(start.tolist()) for start in starts],
            "condition": condition,
            "share": share,
        },
    )
    return {row.sku for row in rows}


def test_walks_from_the_inputs_of_a_mix_find_the_nearest_products_of_the_mix(calibrated: Connection) -> None:
    found = []
    for products, weights, query in mixes(30):
        starts = [vectors(0)[n] for n, weight in zip(products, weights, strict=True) if weight > 0]
        truth = nearest(query, np.ones(PRODUCTS, bool))
        found.append(len(truth & walked(calibrated, starts, query, "true")) / 10)
    assert np.mean(found) >= 0.85


def test_walks_accept_a_query_with_the_smallest_positive_number_of_half_precision(calibrated: Connection) -> None:
    query = vectors(0)[0].copy()
    query[0] = 6e-8  # the smallest positive number of half precision
    assert walked(calibrated, [vectors(0)[0]], query, "true")


@pytest.mark.parametrize("brands", [(20,), (20, 21, 22, 23, 24), tuple(range(20, 45))], ids=["2%", "10%", "50%"])
def test_walks_from_sampled_matches_find_the_nearest_matches_of_a_far_filter(
    calibrated: Connection, brands: tuple[int, ...]
) -> None:
    condition = f"p.brand = any('{{{', '.join(f'brand {n}' for n in brands)}}}')"
    matching = np.isin(np.arange(1, PRODUCTS + 1) % CLUSTERS, brands)
    found = walked(calibrated, None, query_vector(), condition, len(brands) / CLUSTERS)
    assert len(found) == 10
    assert len(found & nearest(query_vector(), matching)) >= 7


@pytest.mark.parametrize("filter_", [None, {"price": {"lt": 80}}])
def test_a_search_by_several_products_finds_the_nearest_products_of_their_mix(
    calibrated: Connection, filter_: dict[str, Any] | None
) -> None:
    numbers = np.arange(1, PRODUCTS + 1)
    passes = numbers * 7919 % 160 < 80 if filter_ else np.ones(PRODUCTS, bool)
    for products, weights, query in mixes(20):
        inputs = [{"sku": f"sku {n + 1}", "weight": w} for n, w in zip(products, weights, strict=True)]
        rows = calibrated.execute(
            text("select sku from shop.search(inputs => cast(:inputs as jsonb), filter => cast(:filter as jsonb), "
                 "title_weight => 0)"),
            {"inputs": json.dumps(inputs), "filter": json.dumps(filter_) if filter_ else None},
        )  # fmt: skip
        allowed = passes & ~np.isin(numbers - 1, products)
        assert len({row.sku for row in rows} & nearest(query, allowed)) >= 9


def queries(count: int) -> Iterator[NDArray[Any]]:
    """Yields vectors near the images of random products."""
    random, images = np.random.default_rng(9), vectors(0)
    for product in random.choice(PRODUCTS, count, replace=False):
        query = images[product] + 0.1 * random.standard_normal(images.shape[1])
        yield query / np.linalg.norm(query)


def search(conn: Connection, catalog: str, query: NDArray[Any], **named: Any) -> list[Row[Any]]:
    given = "".join(f", {name} => :{name}" for name in named)
    return list(
        conn.execute(
            text(
                "select * from shop.search(inputs => cast(:inputs as jsonb), catalog => :catalog, title_weight => 0"
                f"{given})"
            ),
            {"inputs": json.dumps([{"vector": query.tolist(), "model": "toy"}]), "catalog": catalog, **named},
        ).all()
    )


def test_a_search_in_one_of_several_catalogs_finds_the_nearest_products_of_that_catalog(catalogs: Connection) -> None:
    numbers = np.arange(1, PRODUCTS + 1)
    members = {
        "main": numbers % 5 != 0,
        "second": (numbers % 5 == 0) & (numbers % 500 != 0),
        "third": numbers % 500 == 0,
    }
    for catalog, passes in members.items():
        for k in (10, 30):
            recalls, routes = [], []  # The index differs between runs, so the recall of a single query varies.
            for query in queries(30):
                rows = search(catalogs, catalog, query, k=k)
                recalls.append(len({row.sku for row in rows} & nearest(query, passes, k)) / k)
                routes.append(rows[0].route)
                assert {row.complete for row in rows} == {True}
                assert rows[0].total == pytest.approx(passes.sum(), rel=0.05)
                assert {row.total_is for row in rows} == {"exact" if catalog == "third" else "about"}
            assert round(float(np.mean(recalls)), 6) >= 0.9  # the mean has rounding errors
            assert np.median(recalls) >= 0.95
            assert routes.count("hnsw") == 0 if catalog == "third" else routes.count("hnsw") >= 20


def test_the_total_of_a_filtered_search_in_one_of_several_catalogs_is_a_lower_bound(catalogs: Connection) -> None:
    rows = search(catalogs, "main", query_vector(), filter='{"price": {"lt": 80}}')
    assert {row.total_is for row in rows} == {"at least"}
    assert rows[0].total <= 8000


FAR = '{"brand": {"in": [%s]}}' % ", ".join(f'"brand {n}"' for n in range(20, 45))  # noqa: UP031
FAR_PRODUCTS = np.isin(np.arange(1, PRODUCTS + 1) % CLUSTERS, range(20, 45))


def compare_at_most(conn: Connection, limit: int) -> None:
    """Lower the number of matches that a leg may compare, until the transaction ends."""
    definition = conn.exec_driver_sql("select pg_get_functiondef('shop_private.vector_leg'::regproc)").scalar_one()
    lowered, places = re.subn(r"(matches <= |greatest\(|\(m\) <= )(?:20000|250000)\b", rf"\g<1>{limit}", definition)
    assert places == 4
    conn.exec_driver_sql(lowered.replace("%", "%%"))


def test_a_far_filter_is_answered_by_comparing_its_matches(calibrated: Connection) -> None:
    rows = search(calibrated, "main", query_vector(), filter=FAR)
    assert {row.sku for row in rows} == nearest(query_vector(), FAR_PRODUCTS)
    assert {row.route for row in rows} == {"exact"}
    assert rows[0].reason.startswith("image: few of the nearest ")
    assert 10_000 <= rows[0].rows_examined < 10_400


def test_a_far_filter_with_too_many_matches_to_compare_is_answered_by_walks(calibrated: Connection) -> None:
    compare_at_most(calibrated, 1000)
    rows = search(calibrated, "main", query_vector(), filter=FAR)
    assert {(row.route, row.reason, row.complete) for row in rows} == {("hnsw", None, True)}
    assert len({row.sku for row in rows} & nearest(query_vector(), FAR_PRODUCTS)) >= 7
    assert rows[0].rows_examined < 20_000


@pytest.mark.parametrize(("exact_us", "hnsw_us", "route"), [(1, 40, "exact"), (4, 1, "hnsw")])
def test_the_matches_of_a_far_filter_are_compared_if_walks_cost_more(
    calibrated: Connection, exact_us: float, hnsw_us: float, route: str
) -> None:
    definition = calibrated.exec_driver_sql(
        "select pg_get_functiondef('shop_private.vector_leg'::regproc)"
    ).scalar_one()
    assert definition.count("matches <= 20000") == 1
    calibrated.exec_driver_sql(definition.replace("matches <= 20000", "matches <= 1000").replace("%", "%%"))
    calibrated.execute(
        text("update shop.calibration set exact_us_per_row = :exact, hnsw_us_per_candidate = :hnsw"),
        {"exact": exact_us, "hnsw": hnsw_us},
    )
    rows = search(calibrated, "main", query_vector(), filter=FAR)
    assert {row.route for row in rows} == {route}


@pytest.mark.parametrize("limit", [20_000, 1_000])
def test_a_leg_that_does_not_compare_all_matches_says_so_in_each_row(calibrated: Connection, limit: int) -> None:
    """10,000 products match. Only seven products have an encoded image, and five of these match."""
    compare_at_most(calibrated, limit)
    matching = [n for n in range(15_000, PRODUCTS) if n * 7919 % 160 < 80][:5]
    calibrated.execute(
        text("delete from shop.toy_image where product_id <> all(select shop.product_id(unnest(cast(:s as text[]))))"),
        {"s": [f"sku {n}" for n in (*matching, 2, 4)]},
    )
    for route in (None, "exact"):
        rows = search(calibrated, "main", query_vector(), filter='{"price": {"lt": 80}}', route=route)
        assert {row.sku for row in rows} == {f"sku {n}" for n in matching}
        partial = limit == 1000 and route is None
        assert {row.complete for row in rows} == {not partial}
        if partial:
            assert {row.reason for row in rows} == {"image: only 1000 of the products that match were compared"}
            assert {row.total_is for row in rows} == {"at least"}
            inputs = json.dumps([{"vector": query_vector().tolist(), "model": "toy"}])
            params = SearchParams(inputs=inputs, filter='{"price": {"lt": 80}}', title_weight=0, k=5)
            found = ranking.search(calibrated, params)
            assert len(found.rows) == 5 and not found.degraded  # degraded means that only keywords were searched
