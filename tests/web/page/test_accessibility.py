"""axe-core finds no violation in the states of the page that STATES has, at a wide and a narrow width. In dark colours,
only the rules that depend on colours are checked."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from db.engine import Database
from tests.support.web_service import SETTINGS, served

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


@pytest.mark.parametrize("width", [1280, 360])
def test_these_states_of_the_page_violate_no_accessibility_rules(
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


@pytest.mark.parametrize("language", ["de", "ar"])
def test_pages_in_other_languages_violate_no_accessibility_rules_and_fit_the_window(
    shop_database: Database, visit: Callable[..., "Page"], language: str
) -> None:
    with served(shop_database, SETTINGS) as client:
        for width in (1280, 360):
            page = visit("about:blank", width=width, color_scheme="light")
            for path in (
                "?",
                "?q=bag&like=sku%203&price_max=80&",
                "?brand=nobody&price_min=cheap&",
                "product?sku=sku%201&",
            ):
                page.goto(f"{client.base_url}/{path}lang={language}")
                assert violations(page) == [], f"{path} at {width}"
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} at {width}"
        assert page.evaluate("getComputedStyle(document.body).direction") == ("rtl" if language == "ar" else "ltr")
