"""The keyword leg, which ranks products by words, finds products despite inflections and typing errors.

The products and queries are English or German.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, text

from db.errors import StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def _stock(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(
        product("B-1", "Urban commuter bag", description="A backpack of black leather", brand="Nordwind"),
        product("B-2", "Black leather backpack", gtin="4006381333931"),
        product("B-3", "Backpacks for children", color="red"),
        product("S-1", "Running shoes", attributes={"sole": "rubber", "sizes": ["41", "42"]}),
        product("S-2", "A shoe"),
    )


@pytest.fixture
def stocked_shop(filled_shop: "Callable[[Callable[[Shop], None]], Shop]") -> "Shop":
    return filled_shop(_stock)


@pytest.fixture
def analyst(stocked_shop: "Shop") -> Iterator[Connection]:
    with stocked_shop.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def found(conn: Connection, words: str, catalog: str = "main") -> list[str]:
    statement = "select sku from shop.search(:words, catalog => :catalog, degrade => true)"
    return [row.sku for row in conn.execute(text(statement), {"words": words, "catalog": catalog})]


@pytest.mark.parametrize(
    ("words", "skus"),
    [
        # The title of B-3 has two words besides the stop word "for". The title of B-2 has three words. B-1 has the word
        # in its description.
        ("backpack", ["B-3", "B-2", "B-1"]),
        # A product with all words in its description ranks before a product with one word in its title.
        ("black leather backpack", ["B-2", "B-1", "B-3"]),
        ("shoes", ["S-2", "S-1"]),
        ("NORDWIND", ["B-1"]),
        ("rubber", ["S-1"]),
        ("42", ["S-1"]),
        ("4006381333931", ["B-2"]),
        ("B-3", ["B-3", "B-2", "B-1"]),
        ("bakpack", ["B-2", "B-3"]),
        ("lether", ["B-2"]),
        ("the of and", []),
        ("zzzz qqqq", []),
        ("!!! ???", []),
    ],
)
def test_a_query_finds_products_by_words_and_lists_the_best_match_first(
    analyst: Connection, words: str, skus: list[str]
) -> None:
    assert found(analyst, words) == skus


def test_an_updated_title_is_found_by_its_new_words_only(stocked_shop: "Shop", analyst: Connection) -> None:
    stocked_shop.run("update shop.product set title = 'Rucksack' where sku = 'B-2'")
    assert found(analyst, "rucksack") == ["B-2"]
    assert "B-2" not in found(analyst, "leather")


def test_set_language_sets_the_language_of_one_catalog(stocked_shop: "Shop") -> None:
    from tests.support.shop import product

    stocked_shop.load(product("r", "Ein Haus aus Holz"), into="berlin")
    app = stocked_shop.connect(Role.APP)
    assert found(app, "Häuser", "berlin") == []
    assert app.execute(text("select shop.set_language('german', 'berlin')")).scalar() == 1
    assert found(app, "Häuser", "berlin") == ["r"]
    stocked_shop.load(product("s", "Kleine Bücher"), into="berlin")  # products loaded later use the same language
    assert found(app, "klein Buch", "berlin") == ["s"]
    assert stocked_shop.work("r") == [("r", "image", 0, "pending"), ("r", "title", 0, "pending")]
    with pytest.raises(StatementRefused, match="there is no language 'klingon'") as raised:
        app.execute(text("select shop.set_language('klingon', 'berlin')"))
    assert "german" in (raised.value.hint or "")


def test_an_insert_in_plain_sql_gets_the_language_of_its_catalog(stocked_shop: "Shop") -> None:
    insert = "insert into shop.product (product_id, catalog, sku, title, language) values "
    row = "(shop.product_id('{0}', 'berlin'), 'berlin', '{0}', '{1}', '{2}')"
    stocked_shop.run(insert + row.format("a", "Ein Haus", "german"))  # a new catalog takes the product's language
    stocked_shop.run(insert + row.format("b", "Alte Häuser", "english") + ", " + row.format("c", "Hüte", "french"))
    assert stocked_shop.run("select distinct language from shop.product where catalog = 'berlin'") == [("german",)]
    assert stocked_shop.run("select language from shop.catalog where catalog = 'berlin'") == [("german",)]
    app = stocked_shop.connect(Role.APP)
    assert (found(app, "Häuser", "berlin"), found(app, "Hut", "berlin")) == (["a", "b"], ["c"])


def test_a_very_long_description_is_indexed_and_a_very_long_word_causes_no_error(
    stocked_shop: "Shop", analyst: Connection
) -> None:
    from tests.support.shop import product

    many = " ".join(f"word{n}" for n in range(60_000))
    stocked_shop.load(product("long", "long one", description=many), product("wide", "x" * 2000))
    assert found(analyst, "word17") == ["long"]
    assert found(analyst, "x " * 3000) == []
