"""A query may have operators: phrases, excluded words and values of fields."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from db.catalog.product import Product
from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking

if TYPE_CHECKING:
    from tests.support.shop import Shop

PRODUCTS = (
    Product("acoustic", "Acoustic guitar", brand="Nike", color="Black", product_type="guitars"),
    Product("electric", "Electric guitar", brand="The North Face", color="red", product_type="guitars"),
    Product("amp", "Guitar amplifier", description="For an electric bass.", brand="Nike", product_type="amps"),
    Product("strap", "Strap for a red guitar", brand="nike", color="red", size="10", mpn="XJ-900"),
    Product("cafe", "Crème fraîche maker", brand="Lancôme"),
    Product("none", "The guitar"),
)


@pytest.fixture
def guitars(shop: "Shop") -> "Shop":
    shop.load(*PRODUCTS)
    return shop


def found(shop: "Shop", query: str, **options: Any) -> set[str]:
    """Returns the SKUs that a search by words alone finds."""
    arguments = "".join(f", {name} => :{name}" for name in options)
    rows = shop.run(
        f"select sku from shop.search(:query, image_weight => 0, title_weight => 0{arguments})", query=query, **options
    )
    return {row.sku for row in rows}


def parsed(shop: "Shop", query: str) -> tuple[Any, ...] | None:
    row = shop.run("select words, phrases, excluded, fields from shop_private.parse_query(:query)", query=query)[0]
    if row.phrases is None:
        return None
    fields = [("-" if one["not"] else "") + f"{one['field']}:{one['value']}" for one in row.fields]
    return row.words, row.phrases, row.excluded, fields


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"red guitar" strap', ("red guitar strap", ["red guitar"], [], [])),
        ("guitar -electric", ("guitar", [], ["electric"], [])),
        ('guitar -"electric bass"', ("guitar", [], ["electric bass"], [])),
        ("-electric, guitar", ("guitar", [], ["electric"], [])),
        ("shoes brand:nike", ("shoes", [], [], ["brand:nike"])),
        ('Brand:"The North Face" jacket', ("jacket", [], [], ["brand:The North Face"])),
        ('jacket -brand:"The North Face" -color:red', ("jacket", [], [], ["-brand:The North Face", "-color:red"])),
        ("brand:nike color:red", ("nike red", [], [], ["brand:nike", "color:red"])),
        ("size:10 shoe", ("shoe", [], [], ["size:10"])),
        ("-electric", (None, [], ["electric"], [])),
        ("-brand:nike", (None, [], [], ["-brand:nike"])),
        ("“red guitar” -élan -красный", ("red guitar", ["red guitar"], ["élan", "красный"], [])),
        ("mug -t-shirt -ABC-123", ("mug", [], ["t-shirt", "ABC-123"], [])),
        ('"red", "blue".', ("red blue", ["red", "blue"], [], [])),
        ('"red"-shoe', ("red", ["red"], ["shoe"], [])),
        ('"red guitar"strap', ("red guitar strap", ["red guitar"], [], [])),
        ('brand:"nike",-"red"; shoe', ("shoe", [], ["red"], ["brand:nike"])),
        ('brand:"nike",', ("nike", [], [], ["brand:nike"])),
    ],
)
def test_operators_are_read_and_the_other_words_remain(shop: "Shop", query: str, expected: tuple[Any, ...]) -> None:
    assert parsed(shop, query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "black leather backpack",
        "ABC-123",
        "-5°C gloves",
        "t-shirt - red",
        "--red",
        '24" monitor 27" tv',
        '"red guitar',
        'red" guitar',
        '""',
        '"-" guitar',
        "http://example.com/a:b",
        "color: red",
        "brand:!!! price:80",
        "note:brand x",
        "-€5 shoe",
        '("red")',
        'x"red"-shoe',
        "rock -",
        " : ",
    ],
)
def test_text_without_operators_stays_as_it_is(shop: "Shop", query: str) -> None:
    assert parsed(shop, query) is None


def test_a_phrase_finds_only_products_that_have_its_words_in_sequence(guitars: "Shop") -> None:
    assert found(guitars, "red guitar") == {"acoustic", "electric", "amp", "strap", "none"}
    assert found(guitars, '"red guitar"') == {"strap"}
    assert found(guitars, '"guitar red"') == set()
    assert found(guitars, '"electric bass" guitar') == {"amp"}
    assert found(guitars, '"guitars amplifiers"') == {"amp"}, "a phrase is stemmed"
    assert found(guitars, '"creme fraiche"') == found(guitars, '"crème fraîche"') == {"cafe"}
    assert found(guitars, '"creme fraiche makers"') == {"cafe"}
    assert found(guitars, '"for a" guitar') == {"strap"}, "a phrase of stop words is looked up in titles"
    assert found(guitars, '"xj-900" guitar') == {"strap"}
    assert guitars.value("select shop_private.phrase_condition('-', 'english')") is None, "a phrase without words"


def test_an_excluded_word_drops_the_products_that_have_it_in_any_text(guitars: "Shop") -> None:
    assert found(guitars, "guitar -electric") == {"acoustic", "strap", "none"}
    assert found(guitars, "guitar -amplifiers -red") == {"acoustic", "none"}, "color is a text of the product"
    assert found(guitars, 'guitar -"electric bass"') == {"acoustic", "electric", "strap", "none"}
    assert found(guitars, "guitar -the") == found(guitars, "guitar"), "a stop word excludes nothing"


def test_a_field_is_compared_without_case_accents_and_punctuation(guitars: "Shop") -> None:
    assert found(guitars, "guitar brand:NIKE") == {"acoustic", "amp", "strap"}
    assert found(guitars, 'guitar brand:"north face"') == set()
    assert found(guitars, 'guitar brand:"The North-Face"') == {"electric"}
    assert found(guitars, "maker brand:lancome") == {"cafe"}
    assert found(guitars, "guitar -brand:nike") == {"electric", "none"}, "a product without a brand is kept"
    assert found(guitars, 'guitar brand:nike brand:"the north face"') == {"acoustic", "amp", "strap", "electric"}
    assert found(guitars, "guitar brand:nike color:black") == {"acoustic"}
    assert found(guitars, "guitar size:10") == found(guitars, "guitar mpn:xj900") == {"strap"}
    assert found(guitars, "brand:nike") == {"acoustic", "amp", "strap"}, "the value is searched if no word remains"


def test_decimals_of_a_size_make_a_difference(shop: "Shop") -> None:
    for sku, size in (("small", "4.5"), ("large", "45"), ("unit", "EU 4.5"), ("thousand", "1,000 ml")):
        shop.load(Product(sku, "Shoe", size=size, mpn="16.07"))
    assert found(shop, "shoe size:4.5") == found(shop, "shoe size:4,5") == {"small"}
    assert found(shop, "shoe size:45") == {"large"}
    assert found(shop, "shoe -size:45") == {"small", "unit", "thousand"}
    assert found(shop, 'shoe size:"eu-4,5"') == {"unit"}
    assert found(shop, "shoe size:1000ml") == {"thousand"}
    assert len(found(shop, "shoe mpn:1607")) == 4, "in an identifier, a point is punctuation"


def test_operators_and_the_filter_apply_together(guitars: "Shop") -> None:
    nested = {"or": [{"not": {"color": "red"}}, {"and": [{"size": "10"}, {"brand": "nike"}]}]}
    assert found(guitars, "guitar -electric", filter=json.dumps(nested)) == {"acoustic", "strap", "none"}
    assert found(guitars, "guitar -electric brand:nike", filter=json.dumps({"color": "red"})) == {"strap"}


def test_totals_and_facets_and_vectors_and_explain_apply_the_operators(guitars: "Shop") -> None:
    guitars.encode_all()
    for text in ("guitar", "electric", "guitar strap red"):
        guitars.cache(text)
    rows = guitars.run("select sku, total, total_is from shop.search('guitar -electric', k => 20)")
    assert {row.sku for row in rows} == {"acoustic", "strap", "none", "cafe"}
    assert {(row.total, row.total_is) for row in rows} == {(4, "exact")}
    for cut in (None, "relevant"):
        counts = guitars.run(
            "select value, products from shop.facets('guitar -electric', fields => '{brand}', cut => :cut) "
            "where kind = 'value'",
            cut=cut,
        )
        assert {(row.value, row.products) for row in counts} >= {("Nike", 1), ("nike", 1)}
        assert "The North Face" not in {row.value for row in counts}
    steps = guitars.run(
        "select step, note from shop.explain_search('guitar -electric brand:nike -color:red \"strap red\"')"
    )
    assert next(row.note for row in steps if row.step == "operators") == (
        'searched: guitar strap red; phrase "strap red"; without "electric"; brand:"nike"; not color:"red"'
    )


def test_an_excluded_word_makes_the_query_vector_less_similar_to_this_word(guitars: "Shop") -> None:
    guitars.cache("guitar", seed=1)
    guitars.cache("electric", seed=2)
    [(plain, away, near)] = guitars.run(
        "with v as (select image_vector from shop_private.query_vectors(shop_private.read_query(jsonb_populate_record("
        'null::shop_private.search_request, \'{"query": "guitar -electric", "catalog": "main"}\')))) '
        "select 1 - (shop.clip_text('guitar') <=> shop.clip_text('electric')), "
        "1 - (image_vector <=> shop.clip_text('electric')), 1 - (image_vector <=> shop.clip_text('guitar')) from v"
    )
    assert away < plain
    assert near > 0.95


def test_the_query_cache_gets_the_words_without_operators(guitars: "Shop") -> None:
    with guitars.encoder():
        guitars.run("select * from shop.search('guitar brand:nike \"red guitar\"')")
    assert guitars.run("select query from shop.popular_queries") == [("guitar red guitar",)]


def test_a_query_of_excluded_words_alone_finds_nothing_and_gives_the_reason(guitars: "Shop") -> None:
    conn = guitars.connect(Role.ANALYST)
    assert found(guitars, "-electric -brand:nike") == set()
    result = ranking.search(conn, ranking.SearchParams(query="-electric"))
    assert (result.rows, result.reason) == ([], "the query only excludes products")
    steps = guitars.run("select step, note from shop.explain_search('-electric')")
    assert steps == [("operators", 'searched: nothing; without "electric"')]
    nothing = ranking.search(conn, ranking.SearchParams(query='"no such phrase"', image_weight=0, title_weight=0))
    assert nothing.reason == "none meets the phrases, exclusions and fields of the query"


def test_a_query_with_too_many_operators_is_refused(shop: "Shop") -> None:
    with pytest.raises(StatementRefused, match="the query has more than 20 phrases, exclusions and fields"):
        shop.run("select * from shop.search(:query)", query="shoe" + " -a" * 21)


def test_a_text_too_long_to_be_a_query_is_not_read_for_operators(shop: "Shop") -> None:
    shop.run("set statement_timeout = '3s'")
    assert parsed(shop, "-a " * 1_000_000) is None, "the text is too long to be a query"


def test_values_of_operators_cannot_inject_sql(guitars: "Shop") -> None:
    for attack in (
        "brand:x')||pg_sleep(9)--",
        '"\'; drop table shop.product; --" guitar',
        "guitar -x'y\\z$$",
        "a color:\\",
    ):
        assert found(guitars, attack) <= {"acoustic", "strap", "none", "electric", "amp"}
    assert guitars.value("select count(*) from shop.product") == len(PRODUCTS)


def test_row_policies_apply_to_a_query_with_operators(guitars: "Shop") -> None:
    guitars.run("alter table shop.product enable row level security")
    guitars.run("create policy only_nike on shop.product for select to public using (brand ilike 'nike')")
    try:
        conn = guitars.connect(Role.ANALYST)
        rows = conn.exec_driver_sql(
            "select sku, total from shop.search('guitar -amplifier', image_weight => 0, title_weight => 0)"
        ).all()
        assert {(row.sku, row.total) for row in rows} == {("acoustic", 2), ("strap", 2)}
    finally:
        guitars.run("drop policy only_nike on shop.product")
        guitars.run("alter table shop.product disable row level security")
