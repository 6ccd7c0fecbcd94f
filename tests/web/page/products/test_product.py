"""A product has a view of its own, the variants of a product share a card, and the shop's rules add banners and
links."""

import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import text

from db.catalog.product import Product
from db.catalog.store import staging, upsert
from db.engine import Database
from db.roles import Role
from tests.support.browser import CARDS, box, expect_first, until
from tests.support.web_service import Serve
from tests.web.page.reading import HTMX, links, titles
from tests.web.page.test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


@pytest.fixture
def variants(serve: Serve, own_database: Database) -> Iterator[httpx.Client]:
    """Yields a client of a shop in which sku 1, 2 and 3 are variants of one product. Their descriptions have markup."""
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "update shop.product set item_group_id = 'g', size = sku, title = 'striped bag ' || sku, "
                "description = 'A bag.</script><b>' where sku in ('sku 1', 'sku 2', 'sku 3')"
            )
        )
    with serve(own_database) as client:
        yield client


def test_the_view_has_data_for_search_engines_and_a_canonical_address(variants: httpx.Client) -> None:
    page = variants.get("/product", params={"sku": "sku 1"})
    assert page.status_code == 200
    [data] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page.text)
    found = json.loads(data)
    assert (found["@type"], found["name"], found["sku"]) == ("Product", "striped bag sku 1", "sku 1")
    assert found["description"] == "A bag.</script><b>"
    assert found["inProductGroupWithID"] == "g"
    assert (found["offers"]["price"], found["offers"]["priceCurrency"]) == ("1.50", "EUR")
    assert all(image.startswith(str(variants.base_url)) for image in found["image"])
    [canonical] = re.findall(r'<link rel="canonical" href="([^"]*)">', page.text)
    assert unescape(canonical) == f"{variants.base_url}/product?sku=sku%201"
    assert variants.get(canonical).text == variants.get("/product?sku=sku%201&x=y").text
    assert "<b>" not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_the_view_names_the_variants_and_marks_the_one_that_is_shown(variants: httpx.Client) -> None:
    page = variants.get("/product", params={"sku": "sku 2"}).text
    found = re.findall(r'<a href="(/product[^"]*)" hx-boost="false"( aria-current="true")?>', page)
    assert dict(found) == {
        "/product?sku=sku%201": "",
        "/product?sku=sku%202": ' aria-current="true"',
        "/product?sku=sku%203": "",
    }


def test_variants_share_a_card_that_can_be_expanded(variants: httpx.Client) -> None:
    page = variants.get("/?q=striped").text
    assert sum(title.startswith("striped bag") for title in titles(page)) == 1
    assert len(re.findall(r">3 variants<", page)) == 1
    assert "from €1.50" in page
    [expand] = re.findall(r'hx-get="(/variants[^"]*)"', page)
    answer = variants.get(unescape(expand), headers=HTMX).text
    assert len(re.findall(r'href="/product\?sku=sku%20[123]"', answer)) == 3
    address: str | None = "/?q=bag&cut=none"
    shown: list[str] = []
    while address:
        page = variants.get(address).text
        shown += titles(page)
        address = next(iter(links(page, "More results")), None)
    assert len(shown) == len(set(shown)) == 58


def test_a_card_with_the_lowest_price_of_its_variants_shows_no_old_price(
    variants: httpx.Client, own_database: Database
) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("update shop.product set compare_at_price = 200 where item_group_id = 'g'"))
    page = variants.get("/?q=striped").text
    assert "from €1.50" in page
    assert "€200" not in page
    assert "€200" in variants.get("/product?sku=sku%201").text


def test_the_link_try_again_leads_to_the_product_whose_view_failed(serve: Serve, own_database: Database) -> None:
    own = "/product?sku=sku%201"
    with serve(own_database, rate_per_address=2) as client:
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("revoke select on shop.product from shop_analyst"))
        for status in (500, 500, 429):
            failed = client.get(own, headers={"Accept": "text/html"})
            assert failed.status_code == status
            assert links(failed.text, "Try again")[0] == own


def test_a_product_of_a_private_catalog_or_with_an_unknown_sku_is_not_found(serve: Serve) -> None:
    with serve(api_keys="on", public_catalogs=["main"]) as client:
        assert client.get("/product?sku=sku%201").status_code == 200
        for path in ("/product", "/variants"):
            assert client.get(f"{path}?sku=sku%201&catalog=secret").status_code == 404
            assert client.get(f"{path}?sku=nothing").status_code == 404
        missing = client.get("/product?sku=nothing")
        assert missing.headers["content-type"] == "text/html; charset=utf-8"
        assert "There is nothing here." in missing.text
        assert client.get("/product").status_code < 500


def test_a_product_without_an_encoded_image_has_a_view(serve: Serve, own_database: Database) -> None:
    with own_database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            stage(Product("new", "fresh zither"))
        upsert(conn)
    with serve(own_database) as client:
        [view] = links(client.get("/?q=zither").text, "fresh zither")
        page = client.get(view)
        assert page.status_code == 200
        assert ">fresh zither</h1>" in page.text
        assert client.get("/similar?sku=new", headers=HTMX).text.strip() == ""


def test_similar_products_are_not_in_the_view_but_at_the_address_of_a_part(serve: Serve) -> None:
    with serve() as client:
        page = client.get("/product?sku=sku%204").text
        assert titles(page) == []
        [part] = re.findall(r'hx-get="(/similar[^"]*)"', page)
        found = titles(client.get(unescape(part), headers=HTMX).text)
        assert 4 <= len(found) <= 12 and "brown bags number4" not in found
        assert "/similar" not in client.get("/robots.txt").text
        assert client.get("/similar?sku=nothing").status_code == 404
        with_link = links(page, "Similar products")
        assert len(with_link) == 1 and "like=sku%204" in with_link[0]


def test_a_view_that_has_not_changed_is_not_sent_again(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        first = client.get("/product?sku=sku%204")
        assert "no-store" not in first.headers["cache-control"]
        known = {"If-None-Match": first.headers["etag"]}
        again = client.get("/product?sku=sku%204", headers=known)
        assert (again.status_code, again.text) == (304, "")
        assert client.get("/product?sku=sku%204&lang=de", headers=known).status_code == 200
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("update shop.product set price = 99 where sku = 'sku 4'"))
        changed = client.get("/product?sku=sku%204", headers=known)
        assert changed.status_code == 200 and "€99" in changed.text


def test_a_visitor_zooms_into_the_view_of_a_product_and_returns_to_the_results(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar&cut=none")
    page.get_by_role("link", name="More results").click()
    page.wait_for_url(re.compile("shown=48"))
    card = page.locator(CARDS).nth(40)
    title = card.locator("h3").inner_text()
    card.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    card.locator("h3 a").click()
    page.get_by_role("heading", name=title, level=1).wait_for()
    assert "/product?sku=" in page.url
    assert violations(page) == []
    assert page.locator("#results").get_attribute("aria-busy") is None
    page.locator("#similar").scroll_into_view_if_needed()
    page.locator(".product .grid > li:nth-child(4)").wait_for()
    page.locator("[data-zoom]").first.click()
    page.locator("#zoom[open] img").wait_for()
    page.keyboard.press("Escape")
    until(page, "!document.querySelector('#zoom').open")
    page.go_back()
    page.locator(f"{CARDS}:nth-child(48)").wait_for()
    until(page, f"Math.abs(scrollY - {place}) < 5")
    page.goto(shop)
    seen = page.locator("#seen a")
    assert [one.strip() for one in seen.all_inner_texts()] == [title]
    seen.first.click()
    page.get_by_role("heading", name=title, level=1).wait_for()
    box(page).fill("drum")
    expect_first(page, "drum")
    assert page.url == f"{shop}/?q=drum"
    assert page.context.cookies() == []


def test_the_view_works_without_javascript(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar", java_script_enabled=False)
    page.locator(CARDS).first.locator("h3 a").click()
    assert page.locator(".view h1").inner_text()
    assert page.locator("[data-zoom]").first.get_attribute("href")
    page.get_by_role("link", name="More like this", exact=True).click()
    page.wait_for_url(re.compile("like="))


def test_the_page_shows_a_banner_and_a_redirect_of_the_shops_rules(serve: Serve, own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop.rule (name, condition, action, status) values "
                """('to', '{"query": "bag"}', '{"redirect": "https://shop.example/bags"}', 'live'), """
                """('say', '{"contains": "bag"}', '{"banner": "Free <delivery>"}', 'live')"""
            )
        )
    with serve(own_database) as client:
        for path in ("/?q=bag", "/?q=bag&brand=nobody"):
            page = client.get(path)
            assert page.status_code == 200
            assert "Free &lt;delivery&gt;" in page.text
            assert links(page.text, "Open the page") == ["https://shop.example/bags"]
        assert "delivery" not in client.get("/?q=laces").text


def test_expanding_a_card_moves_the_focus_to_the_first_variant(
    serve: Serve, own_database: Database, visit: Visit
) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text("update shop.product set item_group_id = 'g', title = 'zither' where sku in ('sku 1', 'sku 2')")
        )
    with serve(own_database) as client:
        page = visit(f"{client.base_url}/?q=zither")
        link = page.get_by_role("link", name=re.compile("^2 variants .*zither$"))
        link.focus()
        page.keyboard.press("Enter")
        page.locator(".variants a").first.wait_for()
        until(page, "document.activeElement === document.querySelector('.variants a')")
        assert page.url.endswith("/?q=zither")
        assert page.locator(".variants a").count() == 2
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="zither", level=1).wait_for()
