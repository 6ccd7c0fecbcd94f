"""A visitor changes the language of the page, with and without JavaScript. Links to recently viewed products have the
language of the page."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from db.engine import Database
from tests.support.browser import until
from tests.support.web_service import SETTINGS, served

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("scripts", [True, False])
def test_the_search_stays_when_the_visitor_chooses_a_language(
    shop_database: Database, visit: Callable[..., "Page"], scripts: bool
) -> None:
    with served(shop_database, SETTINGS) as client:
        page = visit(f"{client.base_url}/", locale="en-GB", java_script_enabled=scripts)
        page.locator("#q").fill("bag")
        page.keyboard.press("Enter")
        page.locator(".chip-text").wait_for()
        page.get_by_role("link", name="Deutsch").click()
        page.wait_for_url("**/?q=bag&lang=de")
        assert page.locator("html").get_attribute("lang") == "de"
        assert page.locator("#q").input_value() == "bag"
        page.locator("#q").fill("laces")  # a further search keeps the language
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/\?q=laces&lang=de"))
        page.get_by_role("link", name="العربية").click()
        page.wait_for_url("**/?q=laces&lang=ar")
        assert page.locator("html").get_attribute("dir") == "rtl"
        assert page.context.cookies() == []


def test_recently_viewed_products_have_the_language_of_the_page(
    shop_database: Database, visit: Callable[..., "Page"]
) -> None:
    with served(shop_database, SETTINGS) as client:
        page = visit(f"{client.base_url}/product?sku=sku%201&lang=de", locale="en-GB")
        for path, address in (("/", "/product?sku=sku%201"), ("/?lang=fr", "/product?sku=sku%201&lang=fr")):
            page.goto(f"{client.base_url}{path}")
            until(page, "!document.getElementById('seen').hidden")
            assert page.locator("#seen a").get_attribute("href") == address
