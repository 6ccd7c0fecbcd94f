"""With `sort`, the given fields determine the order of all products that pass the filter and the cut of a search."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, Row, text

from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams

if TYPE_CHECKING:
    from tests.support.shop import Shop

PRICES = {"a": "30", "b": "10", "c": None, "d": "20", "e": "10", "f": None}
WEIGHTS = {"a": 2.5, "b": "10", "c": "heavy", "d": 1e3, "e": None, "f": [1]}
AVAILABILITY = {"a": "out_of_stock", "b": "backorder", "c": "in_stock", "d": "preorder", "e": "in_stock"}
TITLES = {"a": "zebra", "b": "Apple", "c": "äpfel", "d": "banana", "e": "apple", "f": "Zulu"}


def _fill(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(
        *(
            product(
                sku,
                TITLES[sku],
                price=PRICES[sku],
                currency="EUR" if PRICES[sku] else None,
                availability=AVAILABILITY.get(sku),
                attributes={"weight": WEIGHTS[sku], 'net, "dry" weight': ord(sku), "size": {"h.w": -ord(sku)}},
                image_count=2,
            )
            for sku in PRICES
        )
    )
    shop.run("update shop.product set sale_price = 5 where sku = 'a'")
    shop.run("update shop.product set compare_at_price = 40 where sku in ('a', 'd')")
    shop.encode_all()
    shop.cache("thing")
    shop.run("analyze shop.product")


@pytest.fixture
def stocked(filled_shop: "Callable[[Callable[[Shop], None]], Shop]") -> "Shop":
    return filled_shop(_fill)


@pytest.fixture
def analyst(stocked: "Shop") -> Iterator[Connection]:
    with stocked.database.connect(Role.ANALYST) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT")


def search(conn: Connection, sort: str | None, **more: Any) -> list[ranking.SearchHit]:
    return ranking.search(conn, SearchParams(query="thing", sort=sort, **{"k": 100, **more})).rows


def order(conn: Connection, sort: str, **more: Any) -> str:
    return "".join(hit.sku for hit in search(conn, sort, **more))


def by_id(conn: Connection, skus: str) -> str:
    """Returns the SKUs in the order of product_id. A sort uses this order where values are equal or missing."""
    rows = conn.execute(
        text("select sku from shop.product where sku = any(:skus) order by product_id"), {"skus": [*skus]}
    )
    return "".join(rows.scalars())


def test_each_kind_of_field_sorts_and_products_without_a_value_come_last(analyst: Connection) -> None:
    be, cf = by_id(analyst, "be"), by_id(analyst, "cf")
    assert order(analyst, "price") == be + "da" + cf
    assert order(analyst, "price desc") == "ad" + be + cf
    assert order(analyst, "effective_price ASC") == "a" + be + "d" + cf
    assert order(analyst, "discount desc") == "ad" + by_id(analyst, "bcef")
    assert order(analyst, "title") == "c" + be + "daf"
    assert order(analyst, "availability") == by_id(analyst, "ce") + "dbaf"
    assert order(analyst, "attributes.weight") == "abd" + by_id(analyst, "cef")
    assert order(analyst, '"attributes.net, ""dry"" weight" desc') == "fedcba"
    assert order(analyst, r"attributes.size.h\.w") == "fedcba"
    assert order(analyst, "rating") == by_id(analyst, "abcdef")
    assert len(order(analyst, "created_at desc, updated_at")) == 6


def test_a_further_key_orders_products_whose_first_key_is_equal(analyst: Connection) -> None:
    assert order(analyst, "availability, effective_price desc") == "ecdbaf"
    assert order(analyst, "price,title desc") == by_id(analyst, "be") + "dafc"
    assert order(analyst, " price , title ") == by_id(analyst, "be") + "dacf"


def test_a_sort_keeps_the_score_image_rank_and_nearest_image_of_each_product(analyst: Connection) -> None:
    ranked = {hit.sku: hit for hit in search(analyst, None)}
    for hit in search(analyst, "title"):
        assert (hit.image_rank, hit.image_distance) == (ranked[hit.sku].image_rank, ranked[hit.sku].image_distance)
        assert (hit.score, hit.image_position) == (ranked[hit.sku].score, ranked[hit.sku].image_position)
        assert (hit.total, hit.total_is) == (6, "exact")


@pytest.mark.parametrize("sort", ["price", "title desc", "availability, price", "rating"])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_pages_return_every_product_once_in_the_order_of_one_page(analyst: Connection, sort: str, k: int) -> None:
    whole = search(analyst, sort)
    pages, after = [], None
    while True:
        page = search(analyst, sort, k=k, after=after)
        pages += page
        if not page[-1].has_next:
            break
        after = page[-1].cursor
    assert [(hit.sku, hit.rank) for hit in pages] == [(hit.sku, hit.rank) for hit in whole]


def test_the_next_page_continues_after_the_last_product_although_products_have_changed(shop: "Shop") -> None:
    from tests.support.shop import product

    _fill(shop)
    with shop.database.connect(Role.ANALYST) as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        first = search(conn, "title", k=3)
        assert [hit.sku for hit in first] == ["c", *by_id(conn, "be")]
        last = first[-1].sku
        shop.load(product("new", "Aardvark"))
        shop.run("update shop.product set title = 'Aa' where sku = 'c'")
        shop.encode_all()
        assert [hit.sku for hit in search(conn, "title", after=first[-1].cursor)] == ["d", "a", "f"]
        shop.run("delete from shop.product where sku = :sku", sku=last)
        rest = [hit.sku for hit in search(conn, "title", after=first[-1].cursor)]
        assert rest == ["d", "a", "f"]


@pytest.mark.parametrize("change", ["delete from shop.product", "update shop.product set title = 'zzz'"])
@pytest.mark.parametrize("k", [1, 3])
def test_no_product_is_skipped_when_the_last_product_of_a_page_leaves_its_place(
    shop: "Shop", change: str, k: int
) -> None:
    _fill(shop)
    with shop.database.connect(Role.ANALYST) as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        whole = search(conn, "title")
        page = search(conn, "title", k=k)
        for hit in page[-2:]:  # first the product before the last one, then the last one
            shop.run(f"{change} where sku = :sku", sku=hit.sku)
            rest = [hit.sku for hit in search(conn, "title", after=page[-1].cursor)]
            left = [hit.sku for hit in whole if hit.sku not in {hit.sku for hit in page}]
            assert [sku for sku in rest if sku in left] == left
        pages = [*page, *search(conn, "title", k=2, after=page[-1].cursor)]
        assert len(pages[-1].cursor) <= 200


def test_a_cursor_continues_only_the_same_sort(analyst: Connection) -> None:
    cursor = search(analyst, "price", k=1)[0].cursor
    for other in (None, "price desc"):
        with pytest.raises(StatementRefused, match="the cursor belongs to another search"):
            search(analyst, other, k=1, after=cursor)
    with pytest.raises(StatementRefused, match="after is not a cursor"):
        search(analyst, "price", k=1, after=cursor + "0")


def test_prices_of_several_currencies_are_not_compared(shop: "Shop") -> None:
    _fill(shop)
    shop.run("update shop.product set currency = 'USD' where sku in ('a', 'c')")
    with shop.database.connect(Role.ANALYST) as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        for sort in ("price", "title, effective_price desc", "compare_at_price"):
            with pytest.raises(StatementRefused, match="their prices are in EUR, USD") as error:
                search(conn, sort)
            assert 'Filter by one currency, for example {"currency": "EUR"}' in str(error.value.hint)
        assert order(conn, "price", filter='{"currency": "EUR"}') == by_id(conn, "be") + "d"
        assert len(search(conn, "title")) == len(search(conn, "discount")) == 6


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ("", "sort cannot be read at ''"),
        (" ", "sort cannot be read at ' '"),
        ("price,", "sort cannot be read at ''"),
        ("price,,title", "sort cannot be read at ',title'"),
        ("price up", "sort cannot be read at 'price up'"),
        ("price desc desc", "sort cannot be read"),
        ('"price', "sort cannot be read"),
        ("prise", 'sort has no field "prise"; did you mean "price"'),
        ("keywords", 'sort has no field "keywords"'),
        ("p.price", "sort has no field"),
        ("price; drop table shop.product", "sort cannot be read"),
        ("price, title, Price, price", "sort has no field"),
        ("price, title, price desc", 'sort names "price" twice'),
        ("price, title, brand, color, size, sku", "sort has more than 5 keys"),
        ("attributes.", "sort names no attribute"),
        ("attributes.a..b", "sort names no attribute"),
        ("attributes." + "x" * 1000, "sort names no attribute"),
        ("x" * 2001, "sort is too long: 2001 characters"),
    ],
)
def test_a_wrong_sort_is_refused(analyst: Connection, sort: str, message: str) -> None:
    with pytest.raises(StatementRefused, match=message.replace("(", r"\(")) as error:
        search(analyst, sort)
    assert error.value.hint


@pytest.mark.parametrize("key", ["attributes.' or 1=1 --", "attributes.%s%1$s%%", "attributes.\\", "attributes.$q$||'"])
def test_special_characters_in_the_name_of_an_attribute_have_no_effect(analyst: Connection, key: str) -> None:
    assert order(analyst, '"' + key + '"') == by_id(analyst, "abcdef")


def test_a_sort_and_a_change_together_are_refused(analyst: Connection) -> None:
    with pytest.raises(StatementRefused, match="sort cannot be combined with a change"):
        ranking.search(analyst, SearchParams(inputs='[{"sku": "a"}]', change="but red", sort="price"))


def test_similar_products_are_sorted_too(analyst: Connection) -> None:
    found = ranking.similar(analyst, "a", SearchParams(sort="price", k=10))
    assert [hit.sku for hit in found.rows] == [*by_id(analyst, "be"), "d", *by_id(analyst, "cf")]


def test_limits_of_the_similarity_apply_to_all_sorted_products(analyst: Connection) -> None:
    ranked = search(analyst, None)
    distance = sorted(hit.image_distance for hit in ranked if hit.image_distance is not None)[2]
    for limit in (
        {"min_similarity": 1 - distance - 1e-9},
        {"max_gap": distance - min(hit.image_distance for hit in ranked if hit.image_distance is not None) + 1e-9},
    ):
        found = search(analyst, "title", **limit)
        assert {hit.sku for hit in found} == {hit.sku for hit in search(analyst, None, **limit)}
        assert (len(found), found[0].total) == (3, 3)


def test_explain_shows_the_sort(analyst: Connection) -> None:
    steps: list[Row[Any]] = list(
        analyst.execute(text("select * from shop.explain_search(query => 'thing', sort => 'price desc')")).all()
    )
    [step] = [step for step in steps if step.step == "sort"]
    assert (step.route, step.found) == ("price desc", 6)
    assert [step.step for step in steps if step.step in ("cut", "sort")] == ["cut", "sort"]
