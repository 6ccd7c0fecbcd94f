"""axe-core finds no violation on the page: in STATES, without an encoder, in each language, and with opened parts. In
dark colours, only the rules that depend on colours are checked."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import SETTINGS, served
from web.page.brand.visit import LANGUAGES

if TYPE_CHECKING:
    from playwright.sync_api import Page

STATES = {
    "start": "/",
    "results": "/?q=guitar&like=WS-00460&unlike=WS-00470&product_type=Musical%20instruments&price_max=900",
    "sorted": "/?q=guitar&sort=price_asc&color=red",
    "product": "/product?sku=WS-00460",
    "empty": "/?brand=nobody",
    "error": "/?like=nothing",
    "remark": "/?price_min=cheap&picture=gone",
}


def violations(page: "Page", **options: object) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"], **options})
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


def colour_violations(page: "Page") -> list[str]:
    """Returns the violations of the rules that depend on colours."""
    return violations(page, runOnly={"type": "rule", "values": ["color-contrast", "link-in-text-block"]})


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.clients), 360])
def test_the_listed_states_of_the_page_violate_no_accessibility_rules(
    shop: str, visit: Callable[..., "Page"], width: int
) -> None:
    page = visit(shop, width=width, color_scheme="light")
    for name, path in STATES.items():
        page.emulate_media(color_scheme="light")
        page.goto(shop + path)
        if name == "results":
            page.locator(".why summary").first.click()
        assert violations(page) == [], name
        page.emulate_media(color_scheme="dark")
        assert colour_violations(page) == [], f"{name} in dark colours"
        if width < 500 and name == "results":
            page.get_by_role("button", name="Filters").click()
            assert colour_violations(page) == [], "results with the sheet of filters open, in dark colours"
            page.emulate_media(color_scheme="light")
            assert violations(page) == [], "results with the sheet of filters open"


def test_the_page_without_an_encoder_violates_no_accessibility_rule(
    sleeping_shop: str, visit: Callable[..., "Page"]
) -> None:
    assert violations(visit(f"{sleeping_shop}/?q=guitar")) == []


@pytest.mark.clients
def test_pages_in_every_language_violate_no_accessibility_rules_and_fit_the_window(
    shop_database: Database, visit: Callable[..., "Page"]
) -> None:
    results = "?q=bag&like=sku%203&price_max=80&"
    with served(shop_database, SETTINGS) as client:
        page = visit("about:blank", width=360, color_scheme="light")
        for language in LANGUAGES:
            for path in (results, "?", "?brand=nobody&price_min=cheap&", "product?sku=sku%201&"):
                page.goto(f"{client.base_url}/{path}lang={language}")
                if path == results or language in ("de", "ar"):
                    assert violations(page) == [], f"{path} in {language}"
                for width in (360, 1280):
                    page.set_viewport_size({"width": width, "height": 800})
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} at {width}"
            direction = page.evaluate("getComputedStyle(document.body).direction")
            assert direction == ("rtl" if language == "ar" else "ltr")


@pytest.mark.clients
def test_opened_parts_of_the_page_violate_no_accessibility_rules(
    own_database: Database, visit: Callable[..., "Page"]
) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("update shop.product set item_group_id = 'g' where substr(sku, 5)::int <= 12"))
        conn.execute(text("update shop.product set title = 'zither ' || sku"))
        conn.execute(text("select shop.refresh_suggestions()"))
    with served(own_database, SETTINGS) as client:
        page = visit(f"{client.base_url}/?lang=de", color_scheme="light")

        def check(state: str) -> None:
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert (violations if scheme == "light" else colour_violations)(page) == [], f"{state}, {scheme}"

        page.locator("[hx-get^='/variants']").first.click()
        page.locator(".variants a").first.wait_for()
        check("variants")
        page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no image"})
        page.locator("#notice .banner").wait_for()
        check("a notice")
        page.locator("#q").press_sequentially("zit")
        page.locator("#suggestions [role=option]").first.wait_for()
        page.wait_for_url(re.compile("q=zit"))
        page.locator(".waiting").wait_for(state="detached")
        check("suggestions")
        page.goto(f"{client.base_url}/product?sku=sku%201&lang=de")
        page.locator("[data-zoom]").first.click()
        page.locator("#zoom[open] img").wait_for()
        check("an enlarged image")
