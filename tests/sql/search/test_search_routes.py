"""In a catalog of 20,000 products, shop.search uses the expected plan and route: it reads the HNSW index (hnsw) or
compares all matches with the query (exact). It returns k products if k or more products match."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import Connection, Row, text

from db.engine import Database
from db.errors import EncoderUnavailable
from db.roles import Role
from tests.support.large_catalog import CLUSTER, PRODUCTS, QUERY, calibration, policy, query_vector, vectors

# Each entry has a name, a filter, and the same condition as a function of the product number n from 1 to 20,000.
FILTERS: list[tuple[str, str | None, Any]] = [
    ("none", None, lambda n: n > 0),
    ("half", '{"price": {"lt": 80}}', lambda n: n * 7919 % 160 < 80),
    ("a fifth", '{"attributes.weight": {"lt": 200}}', lambda n: n % 1000 < 200),
    ("a tenth", '{"attributes.weight": {"gte": 900}}', lambda n: n % 1000 >= 900),
    ("near brand", f'{{"brand": "brand {CLUSTER + 1}"}}', lambda n: n % 50 == CLUSTER + 1),
    ("far brands", '{"brand": {"in": ["brand 20", "brand 21", "brand 22", "brand 23", "brand 24"]}}',
     lambda n: (n % 50 >= 20) & (n % 50 <= 24)),
    ("one in a hundred", '{"attributes.weight": {"lt": 10}}', lambda n: n % 1000 < 10),
    ("ten products", '{"product_type": "rare"}', lambda n: n % 2000 == 0),
    ("three products", '{"sku": {"in": ["sku 1", "sku 2", "sku 3"]}}', lambda n: n <= 3),
    ("nothing", '{"brand": "none"}', lambda n: n < 0),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def calibration_of_20000_products(large: Database) -> Iterator[None]:
    """Stores a calibration with which a search uses the index for more than 700 matches."""
    with large.connect(None) as conn, conn.begin():
        conn.exec_driver_sql(calibration())
        conn.exec_driver_sql("select shop_private.refresh_common_words()")
    yield
    with large.connect(None) as conn, conn.begin():
        conn.exec_driver_sql("delete from shop.calibration")


@pytest.fixture
def analyst(large: Database) -> Iterator[Connection]:
    with large.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def search(conn: Connection, **named: Any) -> list[Row[Any]]:
    given = ", ".join(f"{name} => :{name}" for name in named)
    return list(conn.execute(text(f"select * from shop.search({given})"), named).all())


def nearest(passes: Any, k: int, seed: int = 0) -> list[str]:
    """Returns the SKUs of the k nearest products. numpy computes the distances to all products."""
    numbers = np.arange(1, PRODUCTS + 1)
    distance = 1 - vectors(seed) @ query_vector()
    distance[~passes(numbers)] = np.inf
    order = np.argsort(distance)[:k]
    return [f"sku {n}" for n in numbers[order] if np.isfinite(distance[n - 1])]


@pytest.mark.parametrize("route", [None, "exact", "hnsw"])
@pytest.mark.parametrize(("name", "condition", "passes"), FILTERS, ids=[name for name, _, _ in FILTERS])
def test_every_route_returns_k_products_and_finds_nearly_all_nearest_products(
    analyst: Connection, name: str, condition: str | None, passes: Any, route: str | None
) -> None:
    for k in (10, 60):
        truth = nearest(passes, k)
        rows = search(analyst, query=QUERY, filter=condition, k=k, title_weight=0, keyword_weight=0, route=route)
        found = [row.sku for row in rows]
        assert len(found) == len(set(found)) == len(truth)
        if route is None or name != "far brands":  # route "hnsw" misses products of "far brands"
            assert len(set(found) & set(truth)) >= (0.9 if route else 0.95) * len(truth)
        assert all(row.complete for row in rows)
        assert [row.image_distance for row in rows] == sorted(row.image_distance for row in rows)
        if route == "exact":
            assert set(found) == set(truth)


def test_the_memory_settings_of_a_session_do_not_end_a_scan_early(analyst: Connection) -> None:
    """pgvector ends a scan of the index that has used work_mem * hnsw.scan_mem_multiplier. The legs of a search
    therefore set both of these settings."""
    asked = {"query": QUERY, "filter": '{"price": {"lt": 8}}', "k": 100, "title_weight": 0, "keyword_weight": 0}
    before = search(analyst, **asked, route="hnsw")
    analyst.exec_driver_sql("set work_mem = '64kB'; set hnsw.scan_mem_multiplier = 1")
    after = search(analyst, **asked, route="hnsw")
    analyst.exec_driver_sql("reset work_mem; reset hnsw.scan_mem_multiplier")
    assert [(row.sku, row.rows_examined) for row in after] == [(row.sku, row.rows_examined) for row in before]
    truth = nearest(lambda n: (n * 7919) % 160 < 8, 100)
    assert len({row.sku for row in after} & set(truth)) >= 95


def test_many_matches_use_the_index_and_few_matches_use_an_exact_search(analyst: Connection) -> None:
    routes = {
        name: {
            (row.route, row.total_is)
            for row in search(analyst, query=QUERY, filter=condition, title_weight=0, keyword_weight=0)
        }
        for name, condition, _ in FILTERS
    }
    assert routes["none"] == {("hnsw", "about")}
    assert routes["half"] == routes["a fifth"] == {("hnsw", "at least")}
    for name in ("near brand", "one in a hundred", "ten products", "three products"):
        assert routes[name] == {("exact", "exact")}, name


def test_total_is_distinguishes_exact_totals_estimates_and_lower_bounds(analyst: Connection) -> None:
    numbers = np.arange(1, PRODUCTS + 1)
    for name, condition, passes in FILTERS[:-1]:
        for route in (None, "exact", "hnsw"):
            [row, *_] = search(analyst, query=QUERY, filter=condition, route=route)
            matches = int(np.sum(passes(numbers)))
            if row.total_is == "exact":
                assert row.total == matches, name
            elif row.total_is == "at least":
                assert row.total <= matches, name
            else:
                assert row.total == pytest.approx(matches, rel=0.05), name


@pytest.mark.parametrize("condition", [None, '{"price": {"lt": 80}}'])
def test_products_with_many_images_are_counted_once(large: Database, condition: str | None) -> None:
    """A leg of depth 50 returns 50 products, not 50 images, and does not compare all products."""
    truth = nearest(lambda n: n > 0, 300)
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.execute(
            text(
                "with added as (insert into shop.product_image (product_id, position, uri) "
                "select p.product_id, n, 'https://cdn.example/more' from shop.product p, generate_series(1, 3) n "
                "where p.sku = any(:near) returning product_id, position) "
                "insert into shop.toy_image (product_id, position, embedding, source) "
                "select i.product_id, p.position, i.embedding, i.source from added p "
                "join shop.toy_image i on i.product_id = p.product_id and i.position = 0"
            ),
            {"near": truth},
        )
        rows = search(conn, query=QUERY, filter=condition, keyword_weight=0)
        assert len({row.sku for row in rows}) == len(rows) == 10
        assert {(row.route, row.reason) for row in rows} == {("hnsw", None)}
        transaction.rollback()


def test_every_product_is_compared_if_the_index_finds_too_few_and_the_reason_says_so(large: Database) -> None:
    """Only five of the 20,000 products have an encoded image."""
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.execute(
            text(
                "delete from shop.toy_image "
                "where product_id <> all(select shop.product_id(unnest(cast(:skus as text[]))))"
            ),
            {"skus": [f"sku {n}" for n in range(1, 6)]},
        )
        rows = search(conn, query=QUERY, title_weight=0, keyword_weight=0)
        assert {row.sku for row in rows} == {f"sku {n}" for n in range(1, 6)}
        assert {(row.route, row.reason) for row in rows} == {
            ("exact", "image: the index found 5 products, so all products were compared")
        }
        transaction.rollback()


def test_rows_examined_counts_the_rows_that_each_route_reads(analyst: Connection) -> None:
    [row, *_] = search(analyst, query=QUERY, filter='{"product_type": "rare"}', title_weight=0, keyword_weight=0)
    assert row.rows_examined == 10
    [row, *_] = search(analyst, query=QUERY, title_weight=0, keyword_weight=0, route="exact")
    assert row.rows_examined >= PRODUCTS
    [row, *_] = search(analyst, query=QUERY, title_weight=0, keyword_weight=0, route="hnsw")
    assert 10 <= row.rows_examined < 2000


@contextmanager
def plans(database: Database, statement: str, *setup: str) -> Iterator[str]:
    """Yields the plans of a statement and of the statements in its functions. Only superusers may load auto_explain."""
    said: list[str] = []
    address = database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as conn:
        conn.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        conn.execute("load 'auto_explain'")
        conn.execute("set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on")
        conn.execute("set auto_explain.log_level = notice; set role shop_analyst")
        for one in setup:
            conn.execute(one)
        conn.execute(statement, prepare=False)
        # "select ... from shop.searchable limit 0" only locks the view. It reads no row, whatever its plan is.
        yield "\n".join(plan for plan in said if "from shop.searchable limit 0" not in plan)


LEGS = {
    "image": (0, "toy_image_hnsw", "toy_image"),
    "title": (1, "toy_title_hnsw", "toy_title"),
}
SETUPS = {
    "default settings": [],
    "generic plans": ["set plan_cache_mode = force_generic_plan"],
    "custom plans": ["set plan_cache_mode = force_custom_plan"],
    "prepared": [
        "prepare s as select * from shop.search($1::text, filter => $2::jsonb, image_weight => $3, "
        "title_weight => $4, keyword_weight => 0)"
    ],
}  # fmt: skip


@pytest.mark.parametrize("secured", [False, True], ids=["open", "row level security"])
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("leg", LEGS)
def test_each_leg_runs_the_plan_of_its_route(large: Database, leg: str, setup: str, secured: bool) -> None:
    _, index, table = LEGS[leg]
    weights = {"image": ("1", "0"), "title": ("0", "1")}[leg]

    def statement(condition: str) -> str:
        if setup == "prepared":
            return f"execute s('{QUERY}', {condition}, {weights[0]}, {weights[1]})"
        return (
            f"select * from shop.search('{QUERY}', filter => {condition}, image_weight => {weights[0]}, "
            f"title_weight => {weights[1]}, keyword_weight => 0)"
        )

    def check() -> None:
        for many in ("null", '\'{"price": {"lt": 80}}\''):
            with plans(large, statement(many), *SETUPS[setup]) as seen:
                assert f"Index Scan using {index} on {table}" in seen, seen
                assert f"Seq Scan on {table}" not in seen, seen
        with plans(large, statement('\'{"product_type": "rare"}\''), *SETUPS[setup]) as seen:
            assert index not in seen, seen
            assert "product_product_type_idx" in seen, seen
            assert f"Seq Scan on {table}" not in seen, seen

    if secured:
        with policy(large, "sku <> 'sku 5'"):
            check()
    else:
        check()


@pytest.mark.parametrize("setup", ["default settings", "generic plans", "custom plans"])
def test_the_keyword_leg_reads_its_indexes(large: Database, setup: str) -> None:
    with plans(large, "select * from shop.search('number77', degrade => true)", *SETUPS[setup]) as seen:
        assert "product_keywords_idx" in seen, seen
        assert "Seq Scan on product p" not in seen, seen
    with plans(large, "select * from shop.search('numbr77', degrade => true)", *SETUPS[setup]) as seen:
        assert "product_title_trgm_idx" in seen, seen
        assert "Seq Scan on product p" not in seen, seen


def test_a_search_for_common_words_does_not_change_the_plan_of_the_next_search(large: Database) -> None:
    alone = "select * from shop.search('{}', image_weight => 0, title_weight => 0)"
    before = [
        "reset role",
        "set plan_cache_mode = force_generic_plan",
        "set auto_explain.log_min_duration = -1",
        alone.format("title"),
        "set auto_explain.log_min_duration = 0",
    ]
    with plans(large, alone.format("numbr77"), *before) as seen:
        assert "product_title_trgm_idx" in seen, seen
        assert "Seq Scan on product p" not in seen, seen


def test_common_words_rank_candidates_without_an_index_scan_over_all_products(large: Database) -> None:
    leg = (
        "shop_private.keyword_leg('20', 'main', 'true', null, "
        "array(select product_id from shop.product where brand = 'brand 20' order by product_id limit 100), 50, 20000)"
    )
    common = "insert into shop.common_word values ('20', 0.03) on conflict (word) do update set share = excluded.share"
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.exec_driver_sql(common)
        assert len(conn.exec_driver_sql(f"select ({leg}).product_ids").scalar() or []) == 50
        transaction.rollback()
    with plans(large, f"select {leg}", "reset role", "begin", common) as seen:
        assert "product_pkey" in seen, seen
        assert "product_keywords_idx" not in seen, seen


def test_a_query_of_only_common_words_examines_a_small_sample(analyst: Connection) -> None:
    rows = search(analyst, query="title", k=40, image_weight=0, title_weight=0)  # keywords need no query vector
    assert rows[0].route == "keyword" and 500 < rows[0].rows_examined < 1500
    assert len({row.sku for row in rows}) == 40
    assert rows == search(analyst, query="title", k=40, image_weight=0, title_weight=0)
    with pytest.raises(EncoderUnavailable):  # min_similarity needs a vector
        search(analyst, query="title", image_weight=0, title_weight=0, min_similarity=0.1)


def test_pages_neither_repeat_nor_skip_products(analyst: Connection) -> None:
    for named in (
        {"title_weight": 0, "keyword_weight": 0},
        {"title_weight": 0, "keyword_weight": 0, "filter": '{"price": {"lt": 80}}'},
        {"title_weight": 0, "keyword_weight": 0, "filter": '{"brand": "brand 7"}'},
        {},
    ):
        seen: list[str] = []
        ranks: list[int] = []
        after = None
        while page := search(analyst, query=QUERY, k=40, after=after, **named):
            assert len(page) <= 40
            seen += [row.sku for row in page]
            ranks += [row.rank for row in page]
            after = page[-1].cursor
        assert len(seen) == len(set(seen))
        assert ranks == list(range(1, len(seen) + 1))
        assert len(seen) == 400 if "brand" in str(named) else len(seen) >= 1000
        distances = [row.image_distance for row in search(analyst, query=QUERY, k=40, **named)]
        if named:
            assert distances == sorted(distances)


def test_a_page_can_start_after_a_row_inside_another_page_and_have_another_size(analyst: Connection) -> None:
    first = search(analyst, query=QUERY, k=10)
    second = search(analyst, query=QUERY, k=10, after=first[-1].cursor)
    inside = search(analyst, query=QUERY, k=10, after=first[4].cursor)
    assert [row.sku for row in inside] == [row.sku for row in (*first[5:], *second[:5])]
    again = search(analyst, query=QUERY, k=3, after=second[1].cursor)
    assert [row.sku for row in again] == [row.sku for row in second[2:5]]


def test_a_cursor_is_invalid_in_another_search_and_after_a_calibration(large: Database, analyst: Connection) -> None:
    from db.errors import DatabaseError, StatementRefused

    cursor = search(analyst, query=QUERY, k=5)[-1].cursor
    with pytest.raises(StatementRefused, match="the cursor belongs to another search"):
        search(analyst, query=QUERY, k=5, after=cursor, filter='{"price": {"lt": 80}}')
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.exec_driver_sql(calibration(ef_search=90, crossover_rows=1))
        with pytest.raises(DatabaseError, match="calibration has changed since the first page") as raised:
            conn.execute(text("select * from shop.search(:q, k => 5, after => :c)"), {"q": QUERY, "c": cursor})
        assert raised.value.sqlstate == "55000"
        transaction.rollback()


def test_a_common_word_adds_products_only_if_no_other_leg_runs(
    analyst: Connection,
) -> None:
    shares = dict(analyst.exec_driver_sql("select word, share from shop.common_word").all())
    assert shares["titl"] == pytest.approx(1)
    leg = "select cardinality((shop_private.keyword_leg({}, 'main', 'true', null, {}, 50, 20000)).product_ids)"
    near = "array[shop.product_id('sku 1'), shop.product_id('sku 2')]"
    assert analyst.exec_driver_sql(leg.format("'title'", near)).scalar() == 2  # the two products of other legs
    assert analyst.exec_driver_sql(leg.format("'title number19999'", near)).scalar() == 3
    assert analyst.exec_driver_sql(leg.format("'title'", "null")).scalar() == 50  # no other legs: the word adds 50


def test_a_search_counts_matches_that_the_statistics_do_not_contain_yet(large: Database) -> None:
    """The planner's statistics do not contain the new brand yet. The search counts in a sample of the table instead."""
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.exec_driver_sql("update shop.product set brand = 'everywhere' where right(sku, 1) = '8'")
        rows = search(conn, query=QUERY, filter='{"brand": "everywhere"}', title_weight=0, keyword_weight=0)
        assert len(rows) == 10
        assert {row.route for row in rows} == {"hnsw"}
        transaction.rollback()
