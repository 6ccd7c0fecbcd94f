"""While a visitor types, a list offers what shop.suggest suggests for a public catalog: queries, product types, brands
and titles. The list works with the keyboard. "Back" returns to the loaded products and to the scroll position."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from db.engine import Database
from tests.support.browser import CARDS, box, expect_first, until
from tests.support.web_service import Serve
from tests.web.page.test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


@pytest.fixture(scope="module")
def refreshed(encoding_database: Database) -> None:
    with encoding_database.connect(None) as conn, conn.begin():
        conn.exec_driver_sql("select shop.refresh_suggestions()")


def test_titles_that_begin_with_the_text_are_suggested(client: httpx.Client) -> None:
    found = client.get("/suggestions", params={"q": "red bag"})
    assert found.headers["cache-control"] == "private, max-age=60"
    options = re.findall(r'role="option"[^>]* data-address="([^"]*)">(.*?) <small>(.*?)</small>', found.text)
    assert options and all(text.startswith("red bag") and kind == "Product" for _, text, kind in options)
    assert client.get("/suggestions", params={"q": "x" * 900}).text.strip() == ""
    assert client.get("/suggestions", params={"q": "red\0bag"}).status_code == 200


def test_suggestions_come_only_from_public_catalogs(serve: Serve) -> None:
    with serve(api_keys="on", public_catalogs=["main"]) as client:
        assert "red bag" in client.get("/suggestions?q=red%20bag").text
        assert client.get("/suggestions?q=red%20bag&catalog=secret").status_code == 404


@pytest.mark.usefixtures("refreshed")
def test_a_visitor_chooses_a_suggestion_with_the_keyboard(shop: str, visit: Visit) -> None:
    page = visit(shop)
    box(page).press_sequentially("musi")
    options = page.locator("#suggestions [role=option]")
    options.first.wait_for()
    assert box(page).get_attribute("aria-expanded") == "true"
    page.wait_for_url(re.compile("q=musi"))
    until(page, "[...document.querySelectorAll('.grid')].every(grid => getComputedStyle(grid).opacity === '1')")
    assert violations(page) == []
    kind = options.filter(has_text="Musical instruments")
    while kind.get_attribute("aria-selected") != "true":
        page.keyboard.press("ArrowDown")
    assert box(page).get_attribute("aria-activedescendant") == kind.get_attribute("id")
    assert box(page).evaluate("box => box === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/\?product_type=Musical%20instruments"))
    assert page.locator(".chip").inner_text().startswith("Musical instruments")


@pytest.mark.usefixtures("refreshed")
def test_escape_closes_the_list_and_enter_searches_for_what_was_typed(shop: str, visit: Visit) -> None:
    page = visit(shop)
    page.keyboard.press("/")
    assert box(page).evaluate("box => box === document.activeElement")
    page.keyboard.type("guitar")
    page.locator("#suggestions [role=option]").first.wait_for()
    page.keyboard.press("Escape")
    assert not page.locator("#suggestions").is_visible()
    assert box(page).input_value() == "guitar"
    page.keyboard.press("Enter")
    expect_first(page, "guitar")
    assert page.url.endswith("?q=guitar")
    page.go_back()
    until(page, "document.querySelector('#q').value === ''")
    box(page).press_sequentially("musi")  # the list also works after "back"
    page.locator("#suggestions [role=option]").first.click()
    page.wait_for_url(re.compile(r"product_type=Musical%20instruments"))


def test_the_back_button_returns_to_the_loaded_products_and_to_the_scroll_position(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar&cut=none")
    for number in (48, 72):
        page.get_by_role("link", name="More results").click()
        page.locator(f"{CARDS}:nth-child({number})").wait_for()
        page.wait_for_url(re.compile(f"shown={number}$"))
    listed = page.locator(f"{CARDS} h3").all_inner_texts()
    page.locator(CARDS).nth(60).scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    place = page.evaluate("scrollY")
    assert place > 1000
    page.locator(CARDS).nth(60).get_by_role("link", name="More like this").click()
    page.locator(".chip-like").wait_for()
    page.go_back()
    page.locator(f"{CARDS}:nth-child(72)").wait_for()
    assert page.locator(f"{CARDS} h3").all_inner_texts() == listed
    until(page, f"Math.abs(scrollY - {place}) < 5")
    other = visit(page.url)
    assert other.locator(f"{CARDS} h3").all_inner_texts() == listed


def test_a_list_of_several_pages_continues_where_it_ends(client: httpx.Client) -> None:
    from tests.web.page.reading import links, titles

    page = client.get("/?shown=48").text
    assert len(set(titles(page))) == 48
    more = client.get(links(page, "More results")[0], headers={"HX-Request": "true"})
    assert len(set(titles(page) + titles(more.text))) == 60
    assert more.headers["hx-replace-url"] == "/?shown=72"
    assert len(titles(client.get("/?shown=9999").text)) == 60
    for wrong in ("-1", "x", "1e3", "٣"):
        assert len(titles(client.get("/", params={"shown": wrong}).text)) == 24
