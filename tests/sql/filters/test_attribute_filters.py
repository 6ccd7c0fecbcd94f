"""No index supports a range of an attribute. A search with such a filter reads the attributes of all products if the
catalog is small, if a scan of the HNSW index would take longer, or if no index can be scanned."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from sqlalchemy import text

from db.roles import Role
from db.search.calibration import calibrate
from tests.support.databases import Databases
from tests.support.large_catalog import fill, vectors

if TYPE_CHECKING:
    from tests.support.shop import Shop

PRODUCTS = 30_000
WEIGHT = "(p.attributes ->> 'weight')::numeric < {}"


def test_attribute_matches_are_estimated_only_if_a_scan_of_the_index_is_quicker(shop: "Shop") -> None:
    address = shop.database.write.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("insert into shop.catalog (catalog) values ('main') on conflict do nothing")
        conn.execute(
            "insert into shop.product (product_id, sku, title, attributes) select shop.product_id('s' || n), 's' || n, "
            "'title', jsonb_build_object('weight', (n * 7919) % 1000) from generate_series(1, 30000) n"
        )
        conn.execute("analyze shop.product")

        def collected(least: int, scan_us: float | None, products: int = PRODUCTS) -> tuple[float | None, int | None]:
            row = conn.execute(
                "select share, cardinality(matched) from shop_private.collect_matches(%s, 20000, %s, %s)",
                [WEIGHT.format(least), products, scan_us],
            ).fetchone()
            assert row is not None
            return row

        share, count = collected(100, 250)
        assert (share, count) == (pytest.approx(0.1, abs=0.05), None)
        assert collected(1, 250)[1] == 30, "few products match, so a scan would take longer"
        assert collected(100, 1e6)[1] == 3000, "a scan would take longer"
        assert collected(100, None)[1] == 3000, "no index can be scanned"
        assert collected(100, 250, products=20_000)[1] == 3000, "the attributes of 20,000 products are read quickly"


def test_the_total_is_estimated_from_the_sample_if_the_matches_were_not_collected(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(*(product(f"s{n}", f"bag {n}") for n in range(20)))
    shop.encode_all()
    shop.run("analyze shop.toy_title")
    for share, expected in ((0.5, (10, "about")), (0.001, (1, "about")), (None, (101, "at least"))):
        [row] = shop.run(
            "with s as (select jsonb_populate_record(shop_private.search_settings(), '{\"exact_limit\": 100}') s) "
            "select (t).total, (t).total_is from s, lateral shop_private.search_total("
            f"null, s.s, null, {share or 'null'}, null, null::shop_private.search_run) t"
        )
        assert tuple(row) == expected


@pytest.mark.soak
def test_a_search_with_a_frequent_attribute_examines_few_products_and_finds_the_nearest(
    databases: Databases, toy_template: tuple[str, Path]
) -> None:
    database = databases.copy(toy_template[0])
    fill(database, PRODUCTS)
    with database.connect(Role.APP) as conn:
        calibrate(conn.execution_options(isolation_level="AUTOCOMMIT"), target_recall=0.95, k=10, queries=50)
    catalog = vectors(0, PRODUCTS)
    weights = np.arange(1, PRODUCTS + 1) % 1000
    statement = text(
        "select sku, total, total_is, complete, route, rows_examined "
        "from shop.search(inputs => jsonb_build_array(jsonb_build_object('vector', "
        "cast(:vector as jsonb), 'model', 'toy')), title_weight => 0, "
        """filter => '{"attributes.weight": {"lt": 500}}')"""
    )
    shares = []
    with database.connect(Role.ANALYST) as conn:
        for n in range(700, 730):
            rows = conn.execute(statement, {"vector": str([float(x) for x in catalog[n]])}).all()
            assert {(row.route, row.total_is, row.complete) for row in rows} == {("hnsw", "at least", True)}
            assert rows[0].rows_examined <= 3000 and rows[0].total <= 15_000, "15,000 products match"
            found = {int(row.sku.removeprefix("sku ")) for row in rows}
            assert all(m % 1000 < 500 for m in found)
            order = np.argsort(-(catalog @ catalog[n]), kind="stable")
            true = {int(m) + 1 for m in order[weights[order] < 500][:10]}
            shares.append(len(found & true) / 10)
    assert np.mean(shares) >= 0.95
