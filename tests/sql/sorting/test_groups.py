"""With `group_by`, a row stands for a group of products. With `diversity`, the images of the first rows differ more."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchHit, SearchParams

if TYPE_CHECKING:
    from tests.support.shop import Shop

EUR_SORTED = {"sort": "price desc", "filter": '{"currency": "EUR"}'}
READ = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'shop.product'::regclass"
PRODUCTS, GROUPS = 240, 12  # product n is in the group n % 12; the last 24 products have no group


def _fill(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(
        *(
            product(
                f"p{n:03}",
                f"thing {n}",
                price=str(n + 1),
                currency="USD" if n % 24 == 5 else "EUR",
                brand=f"brand {n % 5}",
                color=f"colour {n % 3}",
                item_group_id=f"g{n % GROUPS}" if n < PRODUCTS - 24 else None,
                attributes={"line": n % 4},
            )
            for n in range(PRODUCTS)
        )
    )
    shop.run("update shop.product set sale_price = 0.5 where sku = 'p000'")
    shop.encode_all()
    shop.cache("thing")
    shop.run("analyze shop.product, shop.toy_image, shop.toy_title")


@pytest.fixture
def stocked(filled_shop: "Callable[[Callable[[Shop], None]], Shop]") -> "Shop":
    return filled_shop(_fill)


@pytest.fixture
def analyst(stocked: "Shop") -> Iterator[Connection]:
    with stocked.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def search(conn: Connection, **more: Any) -> list[SearchHit]:
    return ranking.search(conn, SearchParams(query="thing", **{"k": 10, **more})).rows


def all_pages(conn: Connection, **more: Any) -> list[SearchHit]:
    pages: list[SearchHit] = []
    while not pages or pages[-1].has_next:
        page = search(conn, after=pages[-1].cursor if pages else None, **more)
        assert page, "the page is empty, although has_next was true"
        pages += page
    return pages


def number(hit: SearchHit) -> int:
    return int(hit.sku[1:])


def test_one_row_stands_for_a_group_and_shows_the_best_variant(analyst: Connection) -> None:
    ranked = search(analyst, k=PRODUCTS)
    first = {hit.sku: n for n, hit in enumerate(ranked)}
    hits = search(analyst, group_by="item_group_id", k=100)
    assert len(hits) == GROUPS + 24
    assert len({hit.group_value for hit in hits if hit.group_value}) == GROUPS
    for hit in hits:
        if hit.group_value:
            variants = [h for h in ranked if number(h) < PRODUCTS - 24 and f"g{number(h) % GROUPS}" == hit.group_value]
            assert hit.sku == min(variants, key=lambda h: first[h.sku]).sku
            prices = [Decimal("0.5") if h.sku == "p000" else h.price for h in variants if h.currency == hit.currency]
            assert (hit.group_products, hit.group_low, hit.group_high) == (len(variants), min(prices), max(prices))
        else:
            assert (hit.group_products, hit.group_low, hit.group_high) == (1, hit.price, hit.price)
    assert {(hit.total, hit.total_is) for hit in hits} == {(GROUPS + 24, "exact")}


@pytest.mark.parametrize("k", [1, 5, 10, 20])
@pytest.mark.parametrize("options", [{}, {"cut": "relevant"}, EUR_SORTED, {"diversity": 0.5}])
def test_pages_list_each_group_once_with_consecutive_ranks(
    analyst: Connection, k: int, options: dict[str, Any]
) -> None:
    hits = all_pages(analyst, group_by="item_group_id", k=k, **options)
    whole = search(analyst, group_by="item_group_id", k=1000, **options)
    assert len(hits) == len({hit.sku for hit in hits}) == len(whole)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    values = [hit.group_value for hit in hits if hit.group_value]
    assert len(values) == len(set(values)) == GROUPS
    if options == EUR_SORTED:
        assert [hit.sku for hit in hits] == [hit.sku for hit in whole]


@pytest.mark.parametrize(
    ("field", "groups"),
    [("brand", 5), ("color", 3), ("attributes.line", 4), ("condition", PRODUCTS), ("price", PRODUCTS)],
)
def test_results_are_grouped_by_columns_and_attributes(analyst: Connection, field: str, groups: int) -> None:
    hits = search(analyst, group_by=field, k=1000)
    assert len(hits) == groups
    assert sum(hit.group_products or 0 for hit in hits) == PRODUCTS
    assert {hit.total for hit in hits} == {groups}


def test_products_with_an_equal_value_are_one_row_and_the_row_of_a_missing_value_has_no_group_value(
    analyst: Connection,
) -> None:
    [hit] = search(analyst, group_by="availability", filter='{"availability": null}', k=1)
    assert hit.group_value is None
    [only] = search(analyst, group_by="brand", filter='{"brand": "brand 1"}')
    assert (only.group_value, only.group_products, only.has_next, only.total) == ("brand 1", PRODUCTS // 5, False, 1)


def test_variants_that_do_not_match_are_not_counted(analyst: Connection) -> None:
    for options in ({"filter": '{"price": {"lt": 101}}'}, {"filter": '{"price": {"lt": 101}}', "cut": "relevant"}):
        for hit in search(analyst, group_by="item_group_id", k=GROUPS, **options):
            expected = [n for n in range(100) if f"g{n % GROUPS}" == hit.group_value]
            if "cut" not in options:
                assert hit.group_products == len(expected)
            assert (hit.group_products or 0) <= len(expected)
            assert (hit.group_high or 0) <= 100


def test_with_a_sort_each_group_shows_its_first_variant_in_that_order(analyst: Connection) -> None:
    hits = search(analyst, group_by="item_group_id", sort="price", filter='{"currency": "EUR"}', k=100)
    assert [hit.price for hit in hits] == sorted(hit.price or 0 for hit in hits)
    assert all(hit.group_high is not None and hit.group_low is not None for hit in hits)
    assert {hit.sku for hit in hits[:3]} == {"p000", "p001", "p002"}


def test_the_next_page_of_sorted_groups_continues_after_the_last_row_despite_changes(shop: "Shop") -> None:
    from tests.support.shop import product

    _fill(shop)
    conn = shop.connect(Role.ANALYST)
    asked: dict[str, Any] = {"group_by": "item_group_id", "sort": "price", "filter": '{"currency": "EUR"}'}
    whole = [hit.sku for hit in search(conn, k=100, **asked)]
    first = search(conn, k=3, **asked)
    assert [hit.sku for hit in first] == whole[:3]
    rest = whole[3:]
    changes = (
        lambda: shop.load(product("new", "thing new", price="0.1", currency="EUR", item_group_id="new")),
        lambda: shop.load(product("dear", "thing dear", price="0.2", currency="EUR", item_group_id="g2")),
        lambda: shop.run(f"delete from shop.product where item_group_id = 'g0' or sku = '{first[0].sku}'"),
        # This change deletes the group of the last row.
        lambda: shop.run("delete from shop.product where item_group_id = 'g2'"),
    )
    for change in changes:
        change()
        shop.encode_all()
        later = search(conn, k=100, after=first[-1].cursor, **asked)
        assert [hit.sku for hit in later] == rest
        assert later[0].rank > 1


def test_products_with_nearly_equal_images_are_one_row(shop: "Shop") -> None:
    _fill(shop)
    shop.run(
        "update shop.product_image set phash = b'1100110011001100110011001100110011001100110011001100110011001100'"
    )
    skus = [hit.sku for hit in search(shop.connect(Role.ANALYST), k=30)]
    copies, alike = skus[3:6], skus[0]
    for sku in copies:
        shop.run(
            "update shop.toy_image set embedding = (select embedding from shop.toy_image where product_id = "
            f"shop.product_id('{alike}')) where product_id = shop.product_id('{sku}')"
        )
    hits = search(shop.connect(Role.ANALYST), group_by="image", image_weight=0, keyword_weight=0, k=100)
    found = {hit.sku: hit.group_products for hit in hits}
    assert len({alike, *copies} & set(found)) == 1
    [kept] = {alike, *copies} & set(found)
    assert found[kept] == 4
    shop.run("update shop.product_image set phash = b'0'::bit(64)")  # images of one color are not compared
    assert {hit.group_products for hit in search(shop.connect(Role.ANALYST), group_by="image", k=50)} == {1}


@pytest.mark.parametrize("options", [{}, {"cut": "relevant"}])
def test_grouping_makes_a_search_read_at_most_six_more_rows_per_product(
    stocked: "Shop", options: dict[str, Any]
) -> None:
    numbers = []
    for group_by in (None, "title"):  # 100 of the 240 groups are on the page
        with stocked.database.connect(Role.ANALYST) as conn, conn.begin():
            assert len(search(conn, group_by=group_by, k=100, **options)) == 100
            numbers.append(conn.scalar(text(READ)) or 0)
    assert numbers[1] - numbers[0] <= 6 * PRODUCTS


def test_at_most_5000_products_of_a_group_are_read(shop: "Shop") -> None:
    shop.run(
        "insert into shop.product (product_id, sku, title, brand, quantity) "
        "select shop.product_id('x' || n), 'x' || n, 'thing', 'b', n from generate_series(1, 5200) n"
    )
    shop.run("insert into shop.catalog (catalog) values ('main') on conflict do nothing")
    shop.run("analyze shop.product")
    figures = (
        "select * from shop_private.group_figures(jsonb_populate_record(null::shop_private.search_request, "
        """'{"group_by": "brand", "catalog": "main"}'), """
        "jsonb_populate_record(null::shop_private.search_run, "
        "jsonb_build_object('condition', 'p.quantity > 4900', 'products', 5200)), '{b}', '{null}', null)"
    )
    with shop.database.connect(Role.ANALYST) as conn, conn.begin():
        before = conn.scalar(text(READ)) or 0
        [found] = conn.execute(text(figures))
        assert (found.value, found.products) == ("b", 100)
        assert conn.scalar(text(READ)) - before == 5000


def test_only_the_images_of_the_first_thousand_products_are_compared(shop: "Shop") -> None:
    shop.run(
        "insert into shop.product (product_id, sku, title) "
        "select shop.product_id('x' || n), 'x' || n, 'thing' from generate_series(1, 1003) n"
    )
    shop.run(
        "insert into shop.product_image (product_id, position, uri, phash) select shop.product_id('x' || n), 0, "
        f"'https://cdn.example/' || n, b'{'1100' * 16}' from unnest(array[1, 2, 1000, 1001, 1002]) n"
    )
    shop.run(
        "insert into shop.toy_image (product_id, position, source, embedding) select product_id, 0, 's', "
        "cast(array_fill(1 / sqrt(24)::real, array[24]) as halfvec) from shop.product_image"
    )
    heads = shop.value(
        "select array_agg(g.n order by g.n) from unnest(shop_private.image_groups(array("
        "select shop.product_id('x' || n) from generate_series(1, 1003) n order by n))) with ordinality as g(head, n) "
        "where g.head = shop.product_id('x1')"
    )
    assert heads == [1, 2, 1000]


def test_the_reason_says_how_many_groups_the_first_thousand_products_have(shop: "Shop") -> None:
    shop.run(
        "insert into shop.product (product_id, sku, title, item_group_id) "
        "select shop.product_id('x' || n), 'x' || n, 'thing ' || n, case when n > 1100 then 'b' else 'a' end "
        "from generate_series(1, 1110) n"
    )
    shop.run("insert into shop.catalog (catalog) values ('main') on conflict do nothing")
    shop.run("analyze shop.product")
    conn = shop.connect(Role.ANALYST)
    found = ranking.search(conn, SearchParams(query="thing", group_by="item_group_id", degrade=True))
    # Group a has 1,100 products, but at most 1,000 products of a group are counted.
    assert {hit.group_value: hit.group_products for hit in found.rows} == {"a": 1000, "b": 10}
    assert found.reason is not None
    assert "the first 1000 products have only 2 groups" in found.reason


def _similarity(shop: "Shop", skus: list[str]) -> float:
    rows = shop.run(
        "select p.sku, cast(cast(i.embedding as text) as jsonb) as vector from shop.toy_image i "
        "join shop.product p using (product_id)"
    )
    vectors = {row.sku: np.array(row.vector) for row in rows}
    pairs = [float(vectors[a] @ vectors[b]) for n, a in enumerate(skus) for b in skus[:n]]
    return sum(pairs) / len(pairs)


def test_diversity_puts_products_that_look_different_first(stocked: "Shop", analyst: Connection) -> None:
    plain = [hit.sku for hit in search(analyst)]
    mild = [hit.sku for hit in search(analyst, diversity=0.3)]
    strong = [hit.sku for hit in search(analyst, diversity=1)]
    assert plain[0] == mild[0] == strong[0]
    similar = [_similarity(stocked, skus) for skus in (plain, mild, strong)]
    assert similar[0] > similar[1] > similar[2]


def test_a_diversity_of_0_changes_nothing(analyst: Connection) -> None:
    assert search(analyst, diversity=0) == search(analyst, diversity=None) == search(analyst)


def test_pages_of_a_diverse_search_return_every_product_once(analyst: Connection) -> None:
    hits = all_pages(analyst, diversity=0.5, k=30)
    assert len(hits) == len({hit.sku for hit in hits}) == PRODUCTS
    assert [hit.sku for hit in hits[:50]] == [hit.sku for hit in search(analyst, diversity=0.5, k=30)][:30] + [
        hit.sku for hit in hits[30:50]
    ]


def test_with_diversity_a_named_product_stays_first(analyst: Connection) -> None:
    analyst.execute(text("select 1"))
    hits = ranking.search(analyst, SearchParams(query="p077", degrade=True, diversity=1)).rows
    assert hits[0].sku == "p077"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_by": "item_group"}, 'group_by has no field "item_group"'),
        ({"group_by": ""}, 'group_by has no field ""'),
        ({"group_by": "description"}, 'group_by has no field "description"'),
        ({"group_by": "attributes."}, "group_by names no attribute"),
        ({"group_by": "brand, color"}, "group_by has no field"),
        ({"diversity": -0.1}, "diversity is not between 0 and 1"),
        ({"diversity": 1.5}, "diversity is not between 0 and 1"),
        ({"diversity": float("nan")}, "diversity is not between 0 and 1"),
        ({"diversity": 0.5, "sort": "price"}, "sort and diversity cannot be combined"),
    ],
)
def test_wrong_options_are_refused(analyst: Connection, options: dict[str, Any], message: str) -> None:
    with pytest.raises(StatementRefused, match=message) as error:
        search(analyst, **options)
    assert error.value.hint


@pytest.mark.parametrize("key", ["attributes.') or true --", "attributes.%1$s%", "attributes.\\"])
def test_special_characters_in_the_name_of_an_attribute_have_no_effect(analyst: Connection, key: str) -> None:
    assert len(search(analyst, group_by=key)) == 10


def test_similar_products_are_grouped_and_explain_shows_the_groups_of_a_search(analyst: Connection) -> None:
    hits = ranking.similar(analyst, "p001", SearchParams(group_by="brand", diversity=0.2)).rows
    assert len({hit.group_value for hit in hits}) == len(hits) == 5
    steps = ranking.explain(
        analyst, SearchParams(query="thing", group_by="brand", filter=json.dumps({"color": "colour 1"}))
    )
    [step] = [step for step in steps if step.step == "group"]
    assert (step.route, step.found) == ("brand", 5)
