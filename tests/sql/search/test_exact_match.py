"""Products that a query names come first in its result.

A query names a product if the query contains an identifier or a code of the product, or if the whole query is the
product's brand. But the number in "shoes size 42" names no product, because it is a size. The column `exact_match` is
not null for the products that the query names.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, text

from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

NAMED = [  # a query, the product that it names, and the field by which it names the product
    ("EX-1", "EX-1", "sku"),
    ("ex-1", "EX-1", "sku"),
    ("4006381333931", "EX-1", "gtin"),
    ("RJ-77X", "EX-1", "mpn"),
    ("B00ZV9PXP2", "B00ZV9PXP2", "sku"),
    ("885-0042-1", "B00ZV9PXP2", "text"),
    ("Zyxqor", "EX-1", "brand"),
    ("ZYXQOR ", "EX-1", "brand"),
    ("ABC123", "ABC-123", "sku"),
    ("abc 123", "ABC-123", "sku"),
    ("abc/123", "ABC-123", "sku"),
    ("\uff21\uff22\uff23\uff0d\uff11\uff12\uff13", "ABC-123", "sku"),  # full-width characters
    ("ABC\u00ad-\u200b123", "ABC-123", "sku"),  # a soft hyphen and a zero-width space
    ("ABC\u2011123", "ABC-123", "sku"),  # a non-breaking hyphen
    ("12345678905", "ABC-123", "gtin"),  # a UPC without its leading zeros
    ("00012345678905", "ABC-123", "gtin"),  # the same number as a GTIN-14
    ("WH1000XM5", "ABC-123", "mpn"),
    ("XJ900", "XJ900-BK/2", "text"),
    ("WF-2000XM9", "SO-1", "text"),  # a model number in a title
    ("earbuds wf/2000xm9 blue", "SO-1", "text"),
    ("42", "42", "sku"),
    ("10 mm", "10MM", "sku"),
    ("M8", "M8", "sku"),
    ("buy EX-1 today", "EX-1", "sku"),
    ("spare battery for (WH-1000XM5).", "ABC-123", "mpn"),
    ("blue 4006381333931", "EX-1", "gtin"),
    ("the XJ900 manual", "XJ900-BK/2", "text"),
    ("bolt M8", "M8", "sku"),
    ("GSR18V55", "B-1", "attribute"),
    ("bosch gsr 18v-55 drill", "B-1", "attribute"),
    ("drill gsr 18v 55", "B-1", "attribute"),
    ("0601 9G2 106", "B-2", "mpn"),
    ("bosch 1617", "B-4", "mpn"),
    ("978-0-306-40615-7", "L-1", "attribute"),
    ("9781402894626", "L-1", "attribute"),
    ("loreal paris", "L-1", "brand"),
    ("L'OREAL PARIS", "L-1", "brand"),
    ("the north-face", "TNF 01 X", "brand"),
    ("tnf01x", "TNF 01 X", "sku"),
    ("ab 12 cd 34", "AB.12/CD-34", "sku"),
    ("valve ab-12-cd-34 brass", "AB.12/CD-34", "sku"),
    ("valve AB 12 CD 34", "AB.12/CD-34", "sku"),
    ("0015", "15", "sku"),
    ("the M8", "M8", "sku"),
    ("SKU: 42", "42", "sku"),
    ("item no. 42", "42", "sku"),
    ("ean 4006381333931", "EX-1", "gtin"),
    ("black and decker", "BD-1", "brand"),
    ("BLACK+DECKER", "BD-1", "brand"),
    ("marks&spencer", "MS-1", "brand"),
]
CACHED = {"APPLE", "apple", "quorn", "rain", "rj77x", "zyxqor", "AP-1", "AC1200"}
WITHOUT_ENCODER = "select sku, exact_match from shop.search(:query, degrade => true, catalog => :catalog)"


def _stock(shop: "Shop") -> None:
    """Fill the shop. The query cache gets a random vector for each query of NAMED and CACHED."""
    from tests.support.shop import product

    shop.load(
        product("EX-1", "Rain jacket", brand="Zyxqor", gtin="4006381333931", mpn="RJ-77X"),
        product("B00ZV9PXP2", "Chair grey", description="spare part 885-0042-1"),
        product("ABC-123", "Cordless drill", gtin="0012345678905", mpn="WH-1000XM5"),
        product("XJ900-BK/2", "Headphones XJ900 black"),
        product("42", "Garden hose"),
        product("10MM", "Steel washer"),
        product("M8", "Flange bolt"),
        product("2024", "Table lamp"),
        product("20000", "Picture frame"),
        product("AP-1", "Laptop stand", brand="Apple"),
        product("AP-2", "Tablet sleeve", brand="Apple"),
        product("J-1", "Apple juice"),
        product("S-1", "Shoes size 42"),
        product("S-2", "Shoes size 43"),
        product("N-1", "Bolt 10mm"),
        product("C-1", "Calendar 2024"),
        product("P-1", "Power bank 20000 mAh"),
        product("K-1", "Kaffeetasse"),
        product("T-1", "Tee shirt"),
        product("B-1", "Bosch GSR 18V-55 cordless drill", brand="Bosch", attributes={"Model Number": "GSR 18V-55"}),
        product("B-2", "Bosch GSR 18V-60 cordless drill", brand="Bosch", mpn="06019G2106"),
        product("B-3", "Battery for cordless drill", attributes={"compatible_model": "GSR 18V-55", "weight": 300}),
        product("B-4", "Router", brand="Bosch", mpn="1617"),
        product(
            "L-1", "Cream", brand="L\u2019Or\u00e9al Paris", attributes={"isbn": [9780306406157, "978-1-4028-9462-6"]}
        ),
        product("TNF 01 X", "Fleece", brand="The North Face"),
        product("AB.12/CD-34", "Valve", mpn="SAME-1"),
        product("V-2", "Pipe", mpn="same 1"),
        product("15", "Bucket"),
        product("BD-1", "Jigsaw", brand="Black & Decker"),
        product("MS-1", "Jumper", brand="Marks and Spencer"),
        product("SO-1", "Wireless earbuds WF-2000XM9"),
    )
    shop.encode_all()
    for query in {query for query, _, _ in NAMED} | CACHED:
        shop.cache(query)


@pytest.fixture
def stocked(filled_shop: "Callable[[Callable[[Shop], None]], Shop]") -> "Shop":
    return filled_shop(_stock)


@pytest.fixture
def analyst(stocked: "Shop") -> Connection:
    """Returns a connection whose searches wait only 10 ms for an encoder, because none runs."""
    conn = stocked.connect(Role.ANALYST)
    conn.exec_driver_sql("set shop.timeout_ms = 10")
    return conn


def first(analyst: Connection, query: str) -> tuple[str, str | None]:
    """Returns the SKU and exact_match of the first product of a search with all legs. The query must be in the
    query cache."""
    found = analyst.execute(text("select sku, exact_match from shop.search(:query)"), {"query": query}).all()
    return found[0].sku, found[0].exact_match


@pytest.mark.parametrize(("query", "sku", "field"), NAMED)
def test_a_product_that_the_query_names_comes_first(analyst: Connection, query: str, sku: str, field: str) -> None:
    assert first(analyst, query) == (sku, field)


def test_without_an_encoder_a_product_that_the_query_names_comes_first_too(analyst: Connection) -> None:
    for query, sku, field in NAMED:
        found = analyst.execute(text(WITHOUT_ENCODER), {"query": f"{query} ", "catalog": "main"}).all()
        assert (query, *found[0]) == (query, sku, field)


def test_a_query_of_common_words_names_no_product_even_if_a_word_is_an_identifier_or_brand(
    analyst: Connection,
) -> None:
    for query, sku in (
        ("shoes size 42", "S-1"),
        ("10mm bolt", "N-1"),
        ("apple juice", "J-1"),
        ("calendar 2024", "C-1"),
        ("20000 mah power bank", "P-1"),
        ("power bank 20000mAh", "P-1"),
        ("tee", "T-1"),
        ("shoes size 43", "S-2"),
    ):
        found = analyst.execute(text(WITHOUT_ENCODER), {"query": query, "catalog": "main"}).all()
        assert found[0].sku == sku, query
        assert [row.exact_match for row in found] == [None] * len(found), query


def test_a_word_that_is_an_identifier_names_no_product_that_lacks_the_other_words(analyst: Connection) -> None:
    for query in (
        "bolt 10 mm",
        "calendar M8",
        "size 42",
        "2024",
        "lamp 2024",
        "apple tablet",
        "tax 1,299.00",
        "1.5",
        "42 shoes",
        "garden hose size 42",
        "power bank 20000",
        "router 300",
        "cordless 300 g",
        "24-hour delivery",
        "model 42 shoes",
        "!?",
    ):
        found = analyst.execute(text(WITHOUT_ENCODER), {"query": query, "catalog": "main"}).all()
        assert {row.sku for row in found if row.exact_match} <= ({"2024"} if query == "2024" else set()), query


def test_an_identifier_equal_to_the_query_comes_before_identifiers_with_other_separators(
    stocked: "Shop", analyst: Connection
) -> None:
    from tests.support.shop import product

    stocked.load(product("ABC123", "Bucket"), product("A-BC-123", "Broom"))
    found = analyst.execute(text(WITHOUT_ENCODER), {"query": "abc123", "catalog": "main"}).all()
    assert found[0].sku == "ABC123"
    assert {row.sku for row in found[:3]} == {"ABC123", "ABC-123", "A-BC-123"}


def test_all_products_of_a_brand_come_first_in_the_order_of_the_fusion(stocked: "Shop", analyst: Connection) -> None:
    found = analyst.execute(text("select sku, score, exact_match from shop.search('APPLE')")).all()
    assert {row.sku for row in found[:2]} == {"AP-1", "AP-2"}
    assert [row.exact_match for row in found[:3]] == ["brand", "brand", None]
    assert found[0].score >= found[1].score


def test_a_query_names_only_products_of_its_catalog_that_match_the_filter(stocked: "Shop", analyst: Connection) -> None:
    from tests.support.shop import product

    stocked.load(product("EX-1", "Umbrella"), into="berlin")
    found = analyst.execute(text(WITHOUT_ENCODER), {"query": "EX-1 ", "catalog": "berlin"}).all()
    assert [(row.sku, row.exact_match) for row in found] == [("EX-1", "sku")]
    assert first(analyst, "RJ-77X") == ("EX-1", "mpn")
    statement = "select sku from shop.search('Zyxqor ', filter => '{\"brand\": \"Apple\"}', degrade => true)"
    assert "EX-1" not in analyst.execute(text(statement)).scalars().all()


def test_pages_of_a_query_for_a_brand_contain_each_product_once(stocked: "Shop", analyst: Connection) -> None:
    from tests.support.shop import product

    stocked.load(*(product(f"Q-{n}", f"Thing {n}", brand="Quorn") for n in range(30)))
    statement = text("select sku, exact_match, cursor from shop.search('quorn', k => 4, after => :after)")
    after, seen = None, []
    while page := analyst.execute(statement, {"after": after}).all():
        after = page[-1].cursor
        seen += page
    assert len({row.sku for row in seen}) == len(seen) == stocked.value("select count(*) from shop.product")
    assert [row.exact_match for row in seen] == ["brand"] * 30 + [None] * (len(seen) - 30)


def test_a_query_with_keyword_weight_0_names_no_product(stocked: "Shop", analyst: Connection) -> None:
    found = analyst.execute(text("select exact_match from shop.search('EX-1', keyword_weight => 0)")).scalars().all()
    assert set(found) == {None}


def test_explain_shows_which_products_the_query_names(stocked: "Shop", analyst: Connection) -> None:
    [step] = analyst.execute(text("select * from shop.explain_search('apple') where step = 'exact'")).all()
    assert (step.found, step.note) == (2, "come first: 2 by brand")
    product = "select note from shop.explain_search('apple', sku => :sku) where step = 'sku ' || :sku"
    assert analyst.execute(text(product), {"sku": "AP-1"}).scalar_one().endswith("comes first by its brand")
    assert "comes first" not in analyst.execute(text(product), {"sku": "J-1"}).scalar_one()
    assert analyst.execute(text("select * from shop.explain_search('rain') where step = 'exact'")).all() == []


def test_while_indexes_are_deferred_a_query_names_products_that_the_legs_found(
    stocked: "Shop", analyst: Connection
) -> None:
    stocked.run("alter index shop.product_brand_key_idx rename to hidden")
    try:
        assert first(analyst, "EX-1") == ("EX-1", "sku")
        assert first(analyst, "zyxqor") == ("EX-1", "brand")
        assert first(analyst, "the XJ900 manual") == ("XJ900-BK/2", "text")
    finally:
        stocked.run("alter index shop.hidden rename to product_brand_key_idx")


def test_a_product_that_a_row_policy_hides_is_not_named(stocked: "Shop", analyst: Connection) -> None:
    stocked.run("create policy all_but_apple on shop.product using (brand is distinct from 'Apple')")
    stocked.run("alter table shop.product enable row level security")
    try:
        assert first(analyst, "EX-1") == ("EX-1", "sku")
        assert first(analyst, "rj77x") == ("EX-1", "mpn")
        assert first(analyst, "AP-1")[0] != "AP-1"
        assert first(analyst, "apple")[1] is None
    finally:
        stocked.run("drop policy all_but_apple on shop.product")
        stocked.run("alter table shop.product disable row level security")


def test_products_that_share_a_part_number_all_come_first(stocked: "Shop", analyst: Connection) -> None:
    found = analyst.execute(text(WITHOUT_ENCODER), {"query": "same-1", "catalog": "main"}).all()
    assert [tuple(row) for row in found[:2]] == [("AB.12/CD-34", "mpn"), ("V-2", "mpn")]
    assert found[2].exact_match is None


@pytest.mark.parametrize("weights", ["image_weight => 0", "title_weight => 0", "image_weight => 0, title_weight => 0"])
def test_a_query_names_a_product_even_if_vector_legs_have_weight_0(
    stocked: "Shop", analyst: Connection, weights: str
) -> None:
    found = analyst.execute(text(f"select sku, total from shop.search('EX-1', {weights}, k => 1)")).one()
    assert tuple(found) == ("EX-1", stocked.value("select count(*) from shop.product"))


def test_a_text_with_a_positive_weight_among_several_inputs_names_a_product(
    stocked: "Shop", analyst: Connection
) -> None:
    search = "select sku, exact_match from shop.search(inputs => cast(:inputs as jsonb))"
    for inputs in (
        '[{"text": "EX-1"}, {"sku": "AP-1", "weight": 2}]',
        '[{"sku": "AP-1"}, {"text": "EX-1", "weight": 0.1}]',
    ):
        assert tuple(analyst.execute(text(search), {"inputs": inputs}).first() or ()) == ("EX-1", "sku")
    for inputs in ('[{"sku": "AP-1"}, {"text": "EX-1", "weight": -0.1}]', '[{"sku": "EX-1"}, {"text": "EX-1"}]'):
        assert {row.exact_match for row in analyst.execute(text(search), {"inputs": inputs})} == {None}


def test_min_similarity_also_removes_a_product_that_the_query_names(stocked: "Shop", analyst: Connection) -> None:
    found = analyst.execute(text("select sku from shop.search('M8', min_similarity => 0.9)")).scalars().all()
    assert "M8" not in found


def test_products_that_a_leg_found_come_first_among_more_than_1000_products_of_a_brand(
    stocked: "Shop", analyst: Connection
) -> None:
    from tests.support.shop import product

    stocked.load(*(product(f"M-{n}", f"Mug {n}", brand="Mugs & Co.") for n in range(1100)))
    found = analyst.execute(
        text("select sku, exact_match from shop.search('mugs co', k => 1000, degrade => true)")
    ).all()
    assert [row.exact_match for row in found] == ["brand"] * 1000
    leg = "select sku from shop.search('mugs co', image_weight => 0, title_weight => 0) where keyword_rank is not null"
    assert {row.sku for row in found[:10]} == set(analyst.execute(text(leg)).scalars())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("apple juice", {"J-1"}),
        ("apple laptop", {"J-1", "AP-1"}),  # the juice has the word apple in its title and not as its brand
        ("apple unheard", {"J-1", "AP-1", "AP-2"}),
        ("north face fleece", {"TNF 01 X"}),
        ("the north face", {"TNF 01 X"}),
        ("bosch router drill", {"B-1", "B-2", "B-3", "B-4", "ABC-123"}),
        ("bosch router", {"B-4"}),
    ],
)
def test_a_product_with_only_the_brand_is_found_if_no_product_has_the_other_words(
    stocked: "Shop", analyst: Connection, query: str, found: set[str]
) -> None:
    statement = "select sku from shop.search(:query, image_weight => 0, title_weight => 0)"
    assert set(analyst.execute(text(statement), {"query": query}).scalars()) == found


def test_a_code_in_the_words_of_more_than_100_products_names_no_product(stocked: "Shop", analyst: Connection) -> None:
    from tests.support.shop import product

    stocked.load(*(product(f"V-{n}", f"Cable AC1200 {n}") for n in range(101)))
    assert first(analyst, "AC1200")[1] is None
