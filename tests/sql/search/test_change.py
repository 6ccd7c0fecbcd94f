"""The option change is a text, such as "but red", that says how the results should differ from a given image or
product. The search takes the products that look like this image or product, and ranks them by the text."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection

from db.engine import Database
from db.errors import StatementRefused
from db.functions.constants import SEARCH
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchHit, SearchParams
from tests.support.large_catalog import QUERY
from tests.support.shop import Shop, product

NUMBERS = {constant.name: constant.value for constant in SEARCH}
NEIGHBOURS = int(NUMBERS["change_neighbours"])
GIVEN = '[{"sku": "s0"}]'


def _stock(shop: Shop) -> None:
    colours = ["red", "blue", "red"] + [None] * 9
    shop.load(*(product(f"s{n}", f"thing {n}", color=colour, price=n) for n, colour in enumerate(colours)))
    shop.encode_all()
    for seed, change in enumerate(("but red", "red instead", "darker"), 1):
        shop.cache(change, seed=seed)


@pytest.fixture
def changing(filled_shop: Callable[[Callable[[Shop], None]], Shop]) -> Shop:
    return filled_shop(_stock)


@pytest.fixture
def conn(changing: Shop) -> Iterator[Connection]:
    with changing.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def search(conn: Connection, **options: Any) -> list[SearchHit]:
    return ranking.search(conn, SearchParams(**{"inputs": GIVEN, "k": 12, **options})).rows


def standard(values: Any) -> Any:
    return (values - values.mean()) / values.std()


def test_the_score_adds_the_similarities_to_the_image_and_to_the_change(changing: Shop, conn: Connection) -> None:
    rows = search(conn, change="darker")
    measured = {
        row.sku: (row.source, row.image, row.title, row.source_title)
        for row in changing.run(
            "select p.sku, 1 - (i.embedding <=> shop.product_vector('s0')) as source, "
            "1 - (i.embedding <=> shop.clip_text('darker')) as image, "
            "1 - (t.embedding <=> shop.clip_text('darker')) as title, 1 - (t.embedding <=> (select s.embedding "
            "from shop.title_vector s where s.product_id = shop.product_id('s0'))) as source_title from shop.product p "
            "join shop.image_vector i using (product_id) join shop.title_vector t using (product_id) "
            "where p.sku <> 's0'"
        )
    }
    parts = np.array(list(measured.values()))
    weights = np.array([1, *(NUMBERS[f"change_{name}"] for name in ("image", "title", "source"))])
    scores = dict(zip(measured, np.apply_along_axis(standard, 0, parts) @ weights, strict=True))
    assert [row.sku for row in rows] == sorted(scores, key=lambda sku: -scores[sku])
    for row in rows:
        assert row.score == pytest.approx(scores[row.sku], abs=0.01)
        assert row.score == pytest.approx((row.image_contribution or 0) + (row.title_contribution or 0))
        assert (row.image_distance, row.keyword_rank) == (pytest.approx(1 - measured[row.sku][0], abs=0.001), None)


@pytest.mark.parametrize("change", ["but red", "red instead"])
def test_a_word_of_the_change_counts_if_a_neighbour_has_it(conn: Connection, change: str) -> None:
    rows = {row.sku: row for row in search(conn, change=change)}
    assert [sku for sku, row in rows.items() if row.keyword_score] == ["s2"]  # s0 is given, so it is no result
    assert rows["s2"].keyword_score == 1
    assert rows["s2"].keyword_contribution == NUMBERS["change_words"]


def test_a_blank_change_is_no_change(conn: Connection) -> None:
    assert [row.score for row in search(conn, change=" \t")] == [row.score for row in search(conn)]


def test_a_change_affects_neither_the_filter_nor_the_limits_nor_the_cut_nor_the_total(conn: Connection) -> None:
    for options in (
        {"filter": '{"price": {"lt": 5}}'},
        {"min_similarity": 0.0},
        {"max_gap": 0.2},
        {"cut": "relevant"},
        {"k": 3},
    ):
        plain, changed = search(conn, **options), search(conn, change="darker", **options)
        if "k" not in options:
            assert {row.sku for row in changed} == {row.sku for row in plain}
        assert {(row.total, row.total_is, row.route, row.complete) for row in changed} == {
            (row.total, row.total_is, row.route, row.complete) for row in plain
        }


def test_shop_similar_takes_a_change(conn: Connection) -> None:
    found = ranking.similar(conn, "s0", SearchParams(change="but red", k=12)).rows
    assert [(row.sku, row.score) for row in found] == [(row.sku, row.score) for row in search(conn, change="but red")]


def test_explain_search_shows_how_the_change_ranked(conn: Connection) -> None:
    steps = {step.step: step for step in ranking.explain(conn, SearchParams(inputs=GIVEN, change="but red"))}
    change = steps["change"]
    assert (change.route, change.found) == ("neighbourhood", 11)
    assert change.note is not None
    assert change.note.endswith("1 have a word of the change")
    assert (steps["title"].route, steps["keyword"].route, steps["fusion"].route) == (
        "left out",
        "left out",
        "by the change",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": None}, "a change needs an image or inputs"),
        ({"inputs": None, "query": "bag"}, "a change needs an image or inputs"),
        ({"query": "bag"}, "cannot be combined with a change"),
        ({"title_weight": 0.5}, "cannot be combined with a change"),
        ({"rrf_k": 60}, "cannot be combined with a change"),
    ],
)
def test_a_change_with_an_option_that_does_not_apply_is_refused(
    conn: Connection, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(StatementRefused, match=message):
        search(conn, change="but red", **options)


def test_products_outside_the_neighbourhood_follow_in_the_order_of_the_image(large: Database) -> None:
    given = '[{"sku": "sku 7"}]'
    with large.connect(None) as admin:
        conn = admin.execution_options(isolation_level="AUTOCOMMIT")
        plain = search(conn, inputs=given, k=1000, route="exact")
        changed = search(conn, inputs=given, k=1000, route="exact", change=QUERY)
        pages: list[SearchHit] = []
        while len(pages) < 600:
            pages += search(
                conn, inputs=given, k=100, route="exact", change=QUERY, after=pages[-1].cursor if pages else None
            )
    assert len(plain) == len(changed) == 1000
    assert {row.sku for row in changed[:NEIGHBOURS]} == {row.sku for row in plain[:NEIGHBOURS]}
    assert [row.sku for row in changed[:10]] != [row.sku for row in plain[:10]]
    assert [row.sku for row in changed[NEIGHBOURS:]] == [row.sku for row in plain[NEIGHBOURS:]]
    assert [row.sku for row in pages] == [row.sku for row in changed[:600]]
    assert {row.total for row in changed} == {row.total for row in plain}
