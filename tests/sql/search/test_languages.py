"""The words of a product are stemmed in its own language or, if it has none, in the language of its catalog. The words
of a query are stemmed in the language of the session or, if the session sets none, in the language of the catalog."""

from typing import Any

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.roles import Role
from tests.support.shop import Shop, product

GERMAN = {"content_language": "de-AT"}
# A product with a score of at least 3 has every word of the query. A product that only has a similar title has a score
# below 1.
FIND = "select sku from shop.search(query => :query, image_weight => 0, title_weight => 0) where keyword_score >= 3"


@pytest.fixture
def mixed(shop: Shop) -> Shop:
    shop.load(product("de", "Rote Schuhe", attributes=GERMAN), product("en", "red shoes"))
    return shop


def find(shop: Shop, query: str, language: str | None = None) -> list[Any]:
    conn = shop.connect(Role.ANALYST)
    if language is not None:
        conn.execute(text("select set_config('shop.language', :language, false)"), {"language": language})
    return list(conn.scalars(text(FIND), {"query": query}))


def languages(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in shop.run("select sku, language from shop.product order by sku")]


def test_a_product_has_the_language_of_its_attribute_or_else_that_of_its_catalog(mixed: Shop) -> None:
    mixed.load(
        product("x", attributes={"content_language": "tlh"}), product("f", attributes={"content_language": "FR"})
    )
    assert languages(mixed) == [("de", "german"), ("en", "english"), ("f", "french"), ("x", "english")]
    mixed.connect(Role.APP).execute(text("select shop.set_language('dutch')"))
    assert languages(mixed) == [("de", "german"), ("en", "dutch"), ("f", "french"), ("x", "dutch")]
    mixed.load(product("f"), product("en", attributes=GERMAN))
    assert languages(mixed) == [("de", "german"), ("en", "german"), ("f", "dutch"), ("x", "dutch")]


def test_a_query_is_stemmed_in_the_language_of_the_session(mixed: Shop) -> None:
    # German stems "roten Schuhen" to rot and schuh, English to roten and schuhen.
    assert find(mixed, "roten Schuhen") == []
    for language in ("de", "de-DE", "german", "German"):
        assert find(mixed, "roten Schuhen", language) == ["de"]
    assert find(mixed, "red shoe") == ["en"]
    assert find(mixed, "red shoe", "") == ["en"]


def test_an_unknown_language_of_the_session_is_refused(mixed: Shop) -> None:
    with pytest.raises(DatabaseError, match="there is no language 'klingon'"):
        find(mixed, "red", "klingon")
