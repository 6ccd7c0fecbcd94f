"""A visitor can sort a list and a search by effective price."""

import re
from html import unescape

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import PRODUCTS, Serve
from tests.web.page.reading import HTMX, count, links, titles

LOW, HIGH = "/?sort=price_asc", "/?sort=price_desc"


@pytest.fixture
def on_sale(own_database: Database) -> Database:
    """Returns a database in which product n costs 1.5 n EUR. Three products have another price or no price, and one
    product has a sale that has ended."""
    with own_database.connect(None) as conn, conn.begin():
        for sku, change in {
            "sku 50": "sale_price = 0.50",
            "sku 51": "sale_price = 0.50, sale_ends_at = '2000-01-01'",
            "sku 2": "price = null",
            "sku 3": "price = null, sale_price = 99",
        }.items():
            conn.execute(text(f"update shop.product set {change} where sku = :sku"), {"sku": sku})
    return own_database


def all_titles(client: httpx.Client, address: str) -> list[str]:
    shown: list[str] = []
    following: str | None = address
    while following:
        page = client.get(following).text
        shown += titles(page)
        following = next(iter(links(page, "More results")), None)
    return shown


def numbers(shown: list[str]) -> list[int]:
    return [int(title.rsplit("number", 1)[1]) for title in shown]


def test_all_pages_list_every_product_once_in_the_order_of_effective_prices(serve: Serve, on_sale: Database) -> None:
    with serve(on_sale) as client:
        page = client.get(LOW).text
        assert count(page) == f"{PRODUCTS} products"
        assert '<option value="price_asc" selected>' in page
        low, high = numbers(all_titles(client, LOW)), numbers(all_titles(client, HIGH))
    by_price = [50, 1, *(n for n in range(4, PRODUCTS + 1) if n != 50), 3]
    assert low == [*by_price, 2]  # a product without a price comes last
    assert high == [*reversed(by_price), 2]


def test_links_of_filters_and_chips_keep_the_sort_order(client: httpx.Client) -> None:
    page = client.get("/?sort=price_desc&color=red&color=black&price_max=55").text
    kept = [*links(page, '<svg class="icon".*?</svg><span class="unseen">Remove'), *links(page, "Clear all")]
    assert len(kept) == 4
    assert all("sort=price_desc" in address for address in kept)
    assert links(client.get("/?sort=price_asc&color=nothing").text, "Search without filters") == [LOW]
    answer = client.get("/?q=&color=red&sort=price_asc&price_min=", headers=HTMX)
    assert answer.headers["hx-push-url"] == "/?color=red&sort=price_asc"


def test_a_search_that_is_sorted_by_price_lists_only_relevant_products(client: httpx.Client) -> None:
    relevant = all_titles(client, "/?q=bag")
    assert titles(client.get("/?q=bag").text) != sorted(relevant, key=lambda title: numbers([title]))[:24]
    for order, sign in (("price_asc", 1), ("price_desc", -1)):
        shown = all_titles(client, f"/?q=bag&cut=none&sort={order}")
        assert set(shown) == set(relevant)
        assert numbers(shown) == sorted(numbers(shown), key=lambda number: sign * number)
    page = client.get("/?q=bag&sort=price_asc").text
    assert '<option value="">Best match</option>' in page
    assert not any("sort=" in address for address in links(page, "<span>More<"))


def test_the_sort_order_is_a_select_with_a_button_for_browsers_without_scripts(
    client: httpx.Client,
) -> None:
    page = client.get("/").text
    found = re.search(r'<div class="sort"(.*?)</div>', page, flags=re.DOTALL)
    assert found
    assert re.findall(r'<option value="(\w*)"[^>]*>([^<]*)<', found[1]) == [
        ("", "Any order"),
        ("price_asc", "Price: low to high"),
        ("price_desc", "Price: high to low"),
    ]
    assert '<select id="sort" form="search" name="sort"' in found[1]
    assert '<noscript><button class="button" form="search" type="submit">Sort</button></noscript>' in found[1]
    assert "selected" not in found[1]


def test_an_unknown_order_is_ignored_with_a_remark(client: httpx.Client) -> None:
    page = client.get("/?sort=cheapest").text
    assert "“cheapest” is no value of sort; the values are price_asc, price_desc." in unescape(page)
    assert titles(page) == titles(client.get("/").text)


def test_a_shop_without_prices_offers_no_sort_order(serve: Serve, own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("update shop.product set price = null"))
    with serve(own_database) as client:
        assert 'name="sort"' not in client.get("/").text
