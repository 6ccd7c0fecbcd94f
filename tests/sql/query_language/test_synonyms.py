"""The keyword leg, which ranks products by words, also finds products with synonyms of a query's words. The query
vector is the mean of several vectors: that of the typed text, and those of up to four variants of it, in which synonyms
replace words."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from db.catalog.product import Product
from db.errors import StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

PRODUCTS = (
    Product("sneaker", "Red sneakers"),
    Product("trainer", "Red trainers"),
    Product("running", "Red shoes for running"),
    Product("sofa", "Grey sofa"),
    Product("other", "Red lamp"),
)
WORDS = "select sku from shop.search(:query, image_weight => 0, title_weight => 0, catalog => :catalog)"


@pytest.fixture
def shoes(shop: "Shop") -> "Shop":
    shop.load(*PRODUCTS)
    return shop


def add(shop: "Shop", *terms: str, **others: Any) -> None:
    columns = {"terms": list(terms), **others}
    names = ", ".join(columns)
    shop.run(f"insert into shop.synonym ({names}) values ({', '.join(f':{name}' for name in columns)})", **columns)


def found(shop: "Shop", query: str, catalog: str = "main") -> list[str]:
    return [row.sku for row in shop.run(WORDS, query=query, catalog=catalog)]


def uses(shop: "Shop", query: str, catalog: str = "main") -> list[tuple[str, list[str]]]:
    rows = shop.run(
        "select u.typed, u.terms from unnest(shop_private.synonyms_of(:query, :catalog)) u order by u.first",
        query=query,
        catalog=catalog,
    )
    return [(row.typed, row.terms) for row in rows]


def test_each_term_finds_the_others_and_the_typed_word_ranks_first(shoes: "Shop") -> None:
    assert found(shoes, "sneaker") == ["sneaker"]
    add(shoes, "sneakers", "trainers", "running shoes")
    assert found(shoes, "sneaker")[0] == "sneaker", "the word as typed comes first"
    assert set(found(shoes, "sneaker")) == {"sneaker", "trainer", "running"}
    assert found(shoes, "Trainer")[0] == "trainer", "terms are compared stemmed and without case"
    assert set(found(shoes, "red running shoe")[:3]) == {"running", "sneaker", "trainer"}


def test_a_product_with_every_word_as_typed_ranks_before_a_product_that_needs_a_synonym(shoes: "Shop") -> None:
    add(shoes, "sneakers", "trainers", "running shoes")
    assert found(shoes, "red sneakers")[0] == "sneaker"


@pytest.mark.parametrize("query", ["salt & pepper", "Salt and pepper", "salt + peppers", "- salt & pepper -"])
def test_a_sign_between_blanks_is_no_part_of_a_term(shoes: "Shop", query: str) -> None:
    add(shoes, "spices", from_term="salt & pepper")
    add(shoes, "spices", from_term="salt and pepper")
    assert [terms for _, terms in uses(shoes, query)] == [["spices"]]


def test_products_of_a_brand_need_one_more_word_and_a_synonym_of_the_brand_is_none(shoes: "Shop") -> None:
    shoes.load(Product("phone", "Phone 15", brand="Apple"), Product("mac", "Mac mini", brand="Apple"))
    add(shoes, "apple", "mac")
    add(shoes, "phone", "handset")
    assert set(found(shoes, "apple")) == {"phone", "mac"}
    assert found(shoes, "apple handset") == ["phone"], "a product of the brand must have another word or its synonym"


def test_a_one_way_synonym_expands_davenport_to_sofa_but_not_sofa(shoes: "Shop") -> None:
    add(shoes, "sofa", from_term="davenport")
    assert found(shoes, "davenport") == ["sofa"]
    assert uses(shoes, "grey davenport") == [("davenport", ["sofa"])]
    assert uses(shoes, "sofa") == []


def test_a_synonym_applies_only_to_its_catalog_and_language(shoes: "Shop") -> None:
    shoes.load(Product("hose", "Hose"), into="mode")
    shoes.run("select shop.set_language('german', 'mode')")
    add(shoes, "sneakers", "turnschuhe", catalog="mode")
    add(shoes, "lamps", "leuchte", language="german")
    assert uses(shoes, "sneakers") == uses(shoes, "lamps") == []
    assert uses(shoes, "sneakers", "mode") == [("sneakers", ["turnschuhe"])]
    assert uses(shoes, "leuchten", "mode") == [("leuchten", ["lamps"])], "stemmed in German"


def test_set_language_stems_the_terms_of_synonyms_in_the_new_language(shoes: "Shop") -> None:
    add(shoes, "turnschuhe", "sneakers")
    shoes.run("select shop.set_language('german')")
    assert uses(shoes, "Turnschuhen") == [("Turnschuhen", ["sneakers"])]
    version = shoes.value("select xmin::text from shop.synonym")
    shoes.run("select shop.set_language('german')")
    assert shoes.value("select xmin::text from shop.synonym") == version, (
        "setting the same language again changes no synonym"
    )


def test_synonyms_of_synonyms_are_not_added_and_the_longest_term_is_used(shoes: "Shop") -> None:
    add(shoes, "bb", from_term="aa")
    add(shoes, "cc", from_term="bb")
    add(shoes, "aa", from_term="cc")
    assert uses(shoes, "aa") == [("aa", ["bb"])]
    add(shoes, "phone", "telephone")
    add(shoes, "cell phone", "smartphone")
    assert uses(shoes, "cell phone aa case") == [("cell phone", ["smartphone"]), ("aa", ["bb"])]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"terms": ["sofa"]}, "the synonym has 1 different terms"),
        ({"terms": ["sofa", " sofa "]}, "the synonym has 1 different terms"),
        ({"terms": ["sofa", "Sofa", "sofa!"]}, "the synonym has 1 different terms"),
        ({"terms": ["sofa", "x"]}, "'x' cannot be a term of a synonym"),
        ({"terms": ["sofa", "!"]}, "'!' cannot be a term of a synonym"),
        ({"terms": ["sofa", "one two three four five six"]}, "cannot be a term of a synonym"),
        ({"terms": ["sofa", "long" * 30]}, "cannot be a term of a synonym"),
        ({"terms": ["sofa", None]}, "null cannot be a term of a synonym"),
        ({"terms": [f"term{n}" for n in range(21)]}, "the synonym has 21 different terms"),
        ({"terms": ["sofa"], "from_term": "s"}, "'s' cannot be a term of a synonym"),
        ({"terms": ["sofa"], "from_term": "sofa"}, "'sofa' is replaced by itself"),
        ({"terms": ["couch", "Sofa"], "from_term": "sofa"}, "'sofa' is replaced by itself"),
        ({"terms": ["sofa", "couch"], "language": "klingon"}, "there is no language 'klingon'"),
        ({"terms": ["sofa", "couch"], "catalog": "none"}, "there is no catalog 'none'"),
    ],
)
def test_a_faulty_synonym_is_refused_when_it_is_written(shoes: "Shop", columns: dict[str, Any], message: str) -> None:
    with pytest.raises(StatementRefused, match=message):
        add(shoes, **columns)
    assert shoes.value("select count(*) from shop.synonym") == 0


def test_the_vector_is_the_mean_of_the_query_and_four_variants(shoes: "Shop") -> None:
    shoes.encode_all()
    add(shoes, *(f"shoe{n}" for n in "abcdef"), from_term="sneakers")
    texts = ["red sneakers", *(f"red shoe{n}" for n in "abcd")]
    for seed, text in enumerate(texts):
        shoes.cache(text, seed=seed)
    [(vector,)] = shoes.run(
        "select (shop_private.query_vectors(shop_private.read_query(jsonb_populate_record("
        'null::shop_private.search_request, \'{"query": "red sneakers", "catalog": "main"}\')))).image_vector::text'
    )
    each = np.array([json.loads(shoes.value("select shop.clip_text(:text)::text", text=text)) for text in texts])
    mean = each.mean(axis=0)
    assert np.allclose(np.array(json.loads(vector)), mean / np.linalg.norm(mean), atol=0.005)
    steps = shoes.run("select step, note from shop.explain_search('red sneakers')")
    assert next(row.note for row in steps if row.step == "synonyms") == (
        "sneakers: shoea, shoeb, shoec, shoed, shoee, shoef; "
        "the vector also has red shoea, red shoeb, red shoec, red shoed"
    )


def test_all_texts_are_encoded_together_and_a_variant_that_cannot_be_encoded_is_left_out(shoes: "Shop") -> None:
    shoes.encode_all()
    add(shoes, "sneakers", "trainers", "running shoes")
    shoes.cache("sneakers")
    shoes.run("set shop.timeout_ms = 300")
    assert len(shoes.run("select sku from shop.search('sneakers')")) == len(PRODUCTS)
    with shoes.encoder():
        shoes.run("select sku from shop.search('trainers')")
        assert {row.query for row in shoes.run("select query from shop.popular_queries")} == {
            "sneakers",
            "trainers",
            "running shoes",
        }


def test_a_search_with_a_cached_text_waits_for_no_variant(shoes: "Shop") -> None:
    shoes.encode_all()
    add(shoes, "sneakers", "trainers", "running shoes")
    shoes.cache("sneakers")
    shoes.run("set shop.timeout_ms = 60000")
    shoes.run("set statement_timeout = '10s'")
    with shoes.encoder(answers=False):
        for _ in range(2):
            assert len(shoes.run("select sku from shop.search('sneakers')")) == len(PRODUCTS)
    waiting = "select convert_from(payload, 'UTF8') from shop_private.request order by 1"
    assert [row[0] for row in shoes.run(waiting)] == ["running shoes", "trainers"], "each variant is requested once"


def test_the_number_of_variants_and_of_requests_has_a_limit(shoes: "Shop") -> None:
    shoes.encode_all()
    shoes.cache("sneakers")
    shoes.run("select shop_private.text_vector('sneakers', array(select 'shoe ' || n from generate_series(1, 50) n))")
    assert shoes.value("select count(*) from shop_private.request") == 4
    shoes.run(
        "select shop_private.gateway_request(model_id, array(select n::text::bytea from generate_series(1, 2000) n)) "
        "from shop.model"
    )
    assert shoes.value("select count(*) from shop_private.request") == 1000


def test_a_product_with_one_word_of_a_longer_synonym_does_not_pass_the_cut(shoes: "Shop") -> None:
    shoes.load(Product("flat", "Flat shoes"), Product("tv", "TV with a flat screen"))
    add(shoes, "telly", "flat screen tv")
    query = "select sku from shop.search('telly', cut => 'relevant', degrade => true)"
    assert [row.sku for row in shoes.run(query)] == ["tv"]


def test_a_cut_keeps_the_products_with_a_synonym(shoes: "Shop") -> None:
    shoes.run("select shop.set_language('english')")
    add(shoes, "sofa", from_term="davenport")
    query = "select sku from shop.search('davenport', cut => 'relevant', degrade => true)"
    assert [row.sku for row in shoes.run(query)] == ["sofa"]


def test_the_role_app_writes_synonyms_and_the_role_analyst_only_reads_them(shoes: "Shop") -> None:
    app, analyst = shoes.connect(Role.APP), shoes.connect(Role.ANALYST)
    app.exec_driver_sql("insert into shop.synonym (terms) values ('{sofa,couch}')")
    assert analyst.exec_driver_sql("select terms from shop.synonym").scalar() == ["couch", "sofa"]
    with pytest.raises(StatementRefused, match="read-only transaction"):
        analyst.exec_driver_sql("delete from shop.synonym")


def test_a_search_under_a_policy_reads_no_products_of_other_catalogs_for_synonyms(shoes: "Shop") -> None:
    shoes.load(Product("not a number", "Lamp"), into="other")
    shoes.run(
        "insert into shop.synonym (catalog, terms) select c, array['aa', 'bb' || n] "
        "from generate_series(1, 200) n, unnest(array['main', 'other']) c"
    )
    shoes.run("analyze shop.synonym, shop.product")
    shoes.run("alter table shop.product enable row level security")
    # The condition raises an error for a product of the other catalog.
    shoes.run("create policy one on shop.product for select to public using (catalog = 'main' or sku::integer = 0)")
    try:
        statement = (
            "select (shop_private.read_query(jsonb_populate_record(null::shop_private.search_request, "
            '\'{"query": "aa", "catalog": "main"}\'))).query'
        )
        assert shoes.connect(Role.ANALYST).exec_driver_sql(statement).scalar() == "aa"
    finally:
        shoes.run("drop policy one on shop.product")
        shoes.run("alter table shop.product disable row level security")


def test_a_site_has_at_most_100000_synonyms(shoes: "Shop") -> None:
    shoes.run("alter table shop.synonym disable trigger synonym_checked")  # checks of 100,000 rows take long
    try:
        shoes.run(
            "insert into shop.synonym (from_term, terms, keys) "
            "select 'word ' || n, array['term ' || n], array['word ' || n] from generate_series(1, 100000) n"
        )
    finally:
        shoes.run("alter table shop.synonym enable trigger synonym_checked")
    with pytest.raises(StatementRefused, match="a site has at most 100000 synonyms"):
        add(shoes, "sofa", "couch")
    assert uses(shoes, "word 77777 sofa") == [("word 77777", ["term 77777"])]
    shoes.run("set enable_seqscan = off")  # synonyms_of sets it too
    plan = "\n".join(
        row[0] for row in shoes.run("explain select from shop.synonym s where s.keys && array['word 5', 'sofa']")
    )
    assert "synonym_keys_idx" in plan
