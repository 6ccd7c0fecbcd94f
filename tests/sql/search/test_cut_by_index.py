"""In a catalog of 20,000 products, indexes find the products that pass a cut, and the total may be inexact."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Row, text

from db.engine import Database
from db.roles import Role
from tests.support.large_catalog import CLUSTER, CLUSTERS, PRODUCTS, QUERY, calibration, policy, query_vector, vectors

NUMBERS = np.arange(1, PRODUCTS + 1)
# Each entry has a filter, the same condition as a function of the product number n from 1 to 20,000, and total_is.
FILTERS: list[tuple[str | None, Any, str]] = [
    (None, lambda n: n > 0, "about"),
    # 10,000 products match. By the stored calibration, their comparison takes 40 ms. This is not more than
    # cut_compare_ms, so the matches are compared, and the total is exact.
    ('{"price": {"lt": 80}}', lambda n: n * 7919 % 160 < 80, "exact"),
    ('{"price": {"lt": 120}}', lambda n: n * 7919 % 160 < 120, "about"),
    (f'{{"brand": "brand {CLUSTER + 1}"}}', lambda n: n % 50 == CLUSTER + 1, "exact"),
    ('{"brand": "none"}', lambda n: n < 0, "exact"),
]


@pytest.fixture(scope="module", autouse=True)
def calibration_of_four_microseconds_a_row(large: Database) -> Iterator[None]:
    with large.connect(None) as conn, conn.begin():
        conn.exec_driver_sql(calibration())
    yield
    with large.connect(None) as conn, conn.begin():
        conn.exec_driver_sql("delete from shop.calibration")


@pytest.fixture
def analyst(large: Database) -> Iterator[Connection]:
    with large.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def call(conn: Connection, function: str, **named: Any) -> list[Row[Any]]:
    given = ", ".join(f"{name} => :{name}" for name in named)
    return list(conn.execute(text(f"select * from shop.{function}({given})"), named).all())


def passing(conn: Connection, query: str = QUERY) -> np.ndarray:
    """Returns, for each product, whether its image or title passes the cut. numpy computes the similarities."""
    [note] = [row.note for row in call(conn, "explain_search", query=query, cut="relevant") if row.step == "cut"]
    image, title = (float(floor) for floor in re.findall(r"similarity (-?[\d.]+) or more", note))
    found = (vectors(0) @ query_vector() >= image) | (vectors(1) @ query_vector() >= title)
    assert 20 < found.sum() < 2_000
    return found


@pytest.mark.parametrize(("condition", "passes", "total_is"), FILTERS)
def test_the_total_of_a_cut_is_close_to_the_number_of_products_that_pass(
    analyst: Connection, condition: str | None, passes: Any, total_is: str
) -> None:
    truth = {f"sku {n}" for n in NUMBERS[passing(analyst) & passes(NUMBERS)]}
    rows = call(analyst, "search", query=QUERY, filter=condition, cut="relevant", k=1000)
    found = {row.sku for row in rows}
    assert len(found ^ truth) <= 0.05 * len(truth) + 1
    if not rows:
        return
    [said] = {row.total_is for row in rows}
    # The index scan of a leg can give up, which depends on the random graph. Then the leg compares all matches of the
    # filter, and the total is exact.
    assert said == total_is or (said == "exact" and condition is not None)
    assert {row.total for row in rows} == {len(found)}
    if said == "exact":  # tolerance: the note has rounded floors, and stored vectors have half precision
        assert len(found ^ truth) <= 0.01 * len(truth) + 1


def test_facets_of_a_cut_by_index_add_up_to_the_total_and_are_marked_inexact(analyst: Connection) -> None:
    [row, *_] = call(analyst, "search", query=QUERY, cut="relevant")
    counts = call(analyst, "facets", query=QUERY, cut="relevant", fields=["brand"])
    assert sum(count.products for count in counts) == row.total
    assert {count.exact for count in counts} == {False}
    assert {"found by an index, which may miss some products" in count.note for count in counts} == {True}
    largest = max(counts, key=lambda count: count.products)
    assert largest.value == f"brand {CLUSTER + 1}"


def test_the_total_of_a_cut_is_a_lower_bound_if_too_many_products_pass(analyst: Connection) -> None:
    [row, *rest] = call(analyst, "search", query=f"title {QUERY}", degrade=True, cut="relevant", k=30)
    assert len(rest) == 29
    assert row.total >= 5000
    assert row.total_is == "at least"
    counts = call(analyst, "facets", query=f"title {QUERY}", degrade=True, cut="relevant", fields=["product_type"])
    assert sum(count.products for count in counts) == row.total
    assert {"more products pass than were counted" in count.note for count in counts} == {True}


def test_the_sample_of_a_role_that_sees_few_products_reads_only_their_vectors(large: Database) -> None:
    read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'shop.toy_title'::regclass"
    sample = "select * from shop_private.similarity_background(cast(:query as halfvec), 'shop.toy_title', 'true')"
    with policy(large, f"brand = 'brand {CLUSTER + 1}'"), large.connect(Role.ANALYST) as conn, conn.begin():
        before = conn.scalar(text(read))
        [found] = conn.execute(text(sample), {"query": str(query_vector().tolist())})
        assert conn.scalar(text(read)) - before <= PRODUCTS / CLUSTERS
    similarity = vectors(1)[CLUSTER::CLUSTERS] @ query_vector()
    assert found.vectors == found.rows == PRODUCTS / CLUSTERS
    assert [found.mean, found.deviation] == pytest.approx([similarity.mean(), similarity.std()], abs=0.001)
