"""shop.highlights returns the places where a product has words of a query. A place is given by the position of its
first character, counted from 0, and by its length. Both are in code points."""

from typing import TYPE_CHECKING

import pytest

from db.catalog.product import Product
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def marked(shop: "Shop", query: str, title: str, description: str | None = None) -> list[str]:
    """Returns the marked parts of the title, then those of the description."""
    shop.load(Product("one", title, description=description))
    rows = shop.run(
        "select h.field, h.first, h.length from shop.product p, shop.highlights(:query, p.product_id) h", query=query
    )
    texts = {"title": title, "description": description or ""}
    return [texts[row.field][row.first : row.first + row.length] for row in rows]


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("black backpack", "Leather Backpacks, black", ["Backpacks", "black"]),
        ("run", "Shoes for running", ["running"]),
        ("creme brulee", "Dish for Crème brûlée", ["Crème", "brûlée"]),
        ("creme", "Cre\u0300me dish", ["Cre\u0300me"]),
        ("shoe", "👟👩\u200d💻 Shoe 👟", ["Shoe"]),
        ("shoe", "👟shoe👟", ["shoe"]),
        ("tshirt", "Red T-Shirt", ["T-Shirt"]),
        ("t-shirt", "Red T-Shirt", ["T-Shirt"]),
        ("wifi router", "Wi-Fi router", ["Wi-Fi", "router"]),
        ("abc123", "ABC-123 drill", ["ABC-123"]),
        ("5 mm", "Drill 5mm", ["5mm"]),
        ("красный", "Красные туфли", []),
        ("背包", "黑色背包", ["背包"]),
        ("背包", "黑色-背包", ["背包"]),
        ("シューズ", "ナイキ・シューズ", ["シューズ"]),
        ("سجاد", "سجاد، ملون", ["سجاد"]),
        ("बैग", "लाल बैग।", ["बैग"]),
        ("the lamp", "The lamp", ["lamp"]),
        ("lamp -table", "Table lamp", ["lamp"]),
        ("-table", "Table lamp", []),
        ('"table lamp" brand:nord', "Table lamp Nord", ["Table", "lamp"]),
        ("sofa", "Table lamp", []),
        ("", "Table lamp", []),
    ],
)
def test_the_words_of_a_query_are_marked_in_titles(shop: "Shop", query: str, title: str, expected: list[str]) -> None:
    assert marked(shop, query, title) == expected


def test_synonyms_are_marked_and_the_marks_of_a_description_follow_those_of_the_title(shop: "Shop") -> None:
    shop.run("insert into shop.synonym (terms) values ('{sneakers,trainers}')")
    found = marked(shop, "sneakers", "Red sneaker", "These trainers are 👟 light. A sneaker's sole.")
    assert found == ["sneaker", "trainers", "sneaker's"]


def test_a_synonym_of_several_words_is_marked_only_if_all_its_words_occur(shop: "Shop") -> None:
    shop.run("insert into shop.synonym (terms) values ('{telly,flat screen tv}')")
    assert marked(shop, "telly", "Flat shoes", "A telly.") == ["telly"]
    assert marked(shop, "telly", "TV with a flat screen") == ["TV", "flat", "screen"]


def test_a_title_gets_the_same_marks_alone_and_together_with_other_titles(shop: "Shop") -> None:
    shop.run("insert into shop.synonym (terms) values ('{telly,flat screen tv}')")
    titles = ("Flat shoes", "TV with a flat screen", "Black telly", "Lamp")
    shop.load(*(Product(f"s{n}", title, description="A telly.") for n, title in enumerate(titles)))
    at_once = (
        "select product_id, first, length "
        "from shop_private.marked_products(:query, array(select product_id from shop.product), false)"
    )
    alone = (
        "select p.product_id, h.first, h.length from shop.product p, shop.highlights(:query, p.product_id) h "
        "where h.field = 'title' order by 1, 2"
    )
    for query, places in (("telly", 4), ("black -flat telly", 5), ("-telly", 0), ("", 0)):
        assert shop.run(at_once, query=query) == shop.run(alone, query=query)
        assert len(shop.run(at_once, query=query)) == places


def test_a_hidden_product_has_no_highlights(shop: "Shop") -> None:
    shop.load(Product("one", "Table lamp"))
    product_id = shop.value("select product_id from shop.product")
    shop.run("alter table shop.product enable row level security")
    try:
        conn = shop.connect(Role.ANALYST)
        assert conn.exec_driver_sql("select * from shop.highlights('lamp', %s)", (product_id,)).all() == []
    finally:
        shop.run("alter table shop.product disable row level security")
