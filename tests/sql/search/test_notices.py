"""A search without results sends a notice that says why no product was found."""

from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import Connection, text

from db.errors import StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


BY_WORDS = "image_weight => 0, title_weight => 0"
NOTICES = [
    ("'dark', filter => '{\"color\": \"green\"}'", "none matches the filter"),
    ("'dark', catalog => 'bare'", "catalog 'bare' has no products"),
    ("'dark', catalog => 'bare', filter => '{\"color\": \"green\"}'", "catalog 'bare' has no products"),
    (f"'dark -blue', catalog => 'bare', {BY_WORDS}", "catalog 'bare' has no products"),
    (
        "'dark', image_weight => 1, title_weight => 0, keyword_weight => 0, min_similarity => 1",
        "none is similar enough",
    ),
    (f"'zzyzx', {BY_WORDS}", "no product has these words in catalog 'main'"),
    (
        f"'shoes', {BY_WORDS}, filter => '{{\"product_type\": \"bags\"}}'",
        "no product has these words and matches the filter",
    ),
    (f"'the of', {BY_WORDS}", "no product has these words in catalog 'main'"),
    (f"'!!!', {BY_WORDS}", "the query has no words to look for"),
    ("null", "the query is empty"),
    ("", "the query is empty"),
    ("inputs => 'null'", "the query is empty"),
    ("' \t'", "the query is empty"),
]


@pytest.mark.parametrize(("arguments", "reason"), NOTICES)
def test_a_search_without_results_sends_a_notice_with_the_reason(stocked: "Shop", arguments: str, reason: str) -> None:
    stocked.run("insert into shop.catalog (catalog) values ('bare')")
    with psycopg.connect(
        stocked.database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(False)
    ) as conn:
        said: list[str] = []
        conn.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        assert conn.execute(f"select * from shop.search({arguments})").fetchall() == []
        assert said == [f"no product was found: {reason}"]


def test_the_notice_says_that_no_product_is_encoded_if_there_are_no_vectors(stocked: "Shop") -> None:
    stocked.run("delete from shop.toy_image")
    stocked.run("delete from shop.toy_title")
    with psycopg.connect(
        stocked.database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(False)
    ) as conn:
        said: list[str] = []
        conn.add_notice_handler(lambda notice: said.append(str(notice.message_detail)))
        assert conn.execute("select * from shop.search('dark')").fetchall() == []
        assert said == ["none is encoded; no product has these words"]


def test_empty_queries_in_a_batch_find_no_products_and_raise_no_error(analyst: Connection) -> None:
    batch = text(
        "select q.query, count(s.sku) from (values ('dark'), (null), (''), ('red shoes')) q (query) "
        "left join lateral shop.search(query => q.query, k => 3) s on true group by q.query"
    )
    assert {tuple(row) for row in analyst.execute(batch)} == {("dark", 3), (None, 0), ("", 0), ("red shoes", 3)}


def test_the_error_of_similar_says_that_sku_is_null(analyst: Connection) -> None:
    with pytest.raises(StatementRefused, match="sku is null"):
        analyst.execute(text("select * from shop.similar(null)"))
