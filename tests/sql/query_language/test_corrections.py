"""A search corrects misspelt words, and its result names the corrected query. With `correct => false`, it takes every
word as typed."""

from typing import TYPE_CHECKING, Any

import pytest

from db.catalog.product import Product
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams

if TYPE_CHECKING:
    from tests.support.shop import Shop

PRODUCTS = (
    Product("b1", "Leather backpack"),
    Product("b2", "Backpack for hiking"),
    Product("lamp", "Table lamp"),
    Product("packer", "Bag for packing"),
)


@pytest.fixture
def bags(shop: "Shop") -> "Shop":
    shop.load(*PRODUCTS)
    return shop


def search(shop: "Shop", query: str, **options: Any) -> ranking.SearchResult:
    params = SearchParams(query=query, image_weight=0, title_weight=0, **options)
    return ranking.search(shop.connect(Role.ANALYST), params)


@pytest.mark.parametrize(
    ("query", "corrected"),
    [
        ("bakpack", "backpack"),
        ("Leather BAKPACK", "Leather backpack"),
        ("leathr bakpack", "leather backpack"),
        ("tabel lamp", "table lamp"),  # the same letters in another order
        ("bakpack -hiking", "backpack -hiking"),
        ("backpack", None),
        ("backpacks", None),
        ("backpackk", "backpack"),
        ("backpac", "backpack"),
        ("lamp xqzzvk", None),
    ],
)
def test_the_result_names_the_corrected_query(bags: "Shop", query: str, corrected: str | None) -> None:
    found = search(bags, query)
    assert found.rows
    assert found.corrected == corrected
    assert {row.corrected_query for row in found.rows} == {corrected}


def test_a_word_that_resembles_another_word_only_a_little_is_not_corrected(bags: "Shop") -> None:
    bags.load(Product("nike", "Nike camera bag"), Product("pump", "Pump shoes"))
    assert search(bags, "nikon camera").corrected is None
    assert search(bags, "puma shoes").corrected is None
    assert search(bags, "nyke camra").corrected == "nyke camera"


def test_joined_words_and_codes_and_parts_of_words_are_not_corrected(bags: "Shop") -> None:
    bags.load(Product("cable", "HDMI 2.1 cable"), Product("key", "Housekeyring leather"), Product("cup", "Porcelain"))
    for query, sku in (("hdmi2", "cable"), ("keyrings", "key"), ("porcelaincup", "cup")):
        found = search(bags, query)
        assert (found.rows[0].sku, found.corrected) == (sku, None), query


def test_a_part_of_a_german_compound_is_not_corrected(bags: "Shop") -> None:
    bags.run("select shop.set_language('german')")
    bags.load(Product("lamp", "Schreibtischlampe"), Product("bag", "Große Sporttaschen"))
    for part, sku in (("Schreibtisch", "lamp"), ("sporttasche", "bag"), ("sport", "bag")):
        found = search(bags, part)
        assert ([row.sku for row in found.rows], found.corrected) == ([sku], None)
    assert search(bags, "Schreibtischlmpe").corrected == "schreibtischlampe"


def test_in_a_large_catalog_a_word_must_resemble_its_correction_more(bags: "Shop") -> None:
    statement = (
        "select shop_private.corrected_query('leather bakpack', "
        "shop_private.keyword_leg('leather bakpack', 'main', 'true', null, null, 50, p), p) "
        "from unnest(array[0, 100000000]) p"
    )
    assert [row[0] for row in bags.run(statement)] == ["leather backpack", None], "in a large catalog, it is too unlike"


def test_without_correction_every_word_is_taken_as_typed(bags: "Shop") -> None:
    assert {row.sku for row in search(bags, "bakpack").rows} == {"b1", "b2"}
    assert search(bags, "bakpack", correct=False).rows == []
    found = search(bags, "bakpack lamp", correct=False)
    assert ([row.sku for row in found.rows], found.corrected) == (["lamp"], None)
    assert search(bags, "bakpack", correct=False, cut="relevant", degrade=True).rows == []


def test_a_word_with_a_synonym_is_not_corrected(bags: "Shop") -> None:
    bags.run("insert into shop.synonym (from_term, terms) values ('bakpack', '{lamp}')")
    found = search(bags, "bakpack")
    assert ([row.sku for row in found.rows], found.corrected) == (["lamp"], None)


def test_explain_names_the_correction(bags: "Shop") -> None:
    bags.encode_all()
    bags.cache("bakpack")
    steps = {row.step: row.note for row in bags.run("select step, note from shop.explain_search('bakpack')")}
    assert steps["correction"] == "no product has bakpack; searched: backpack"
    steps = {row.step for row in bags.run("select step from shop.explain_search('bakpack', correct => false)")}
    assert "correction" not in steps


def test_a_correction_comes_only_from_products_that_the_caller_sees(bags: "Shop") -> None:
    bags.run("alter table shop.product enable row level security")
    bags.run("create policy lamps on shop.product for select to public using (title not ilike '%backpack%')")
    try:
        assert search(bags, "bakpack").corrected is None
    finally:
        bags.run("drop policy lamps on shop.product")
        bags.run("alter table shop.product disable row level security")
