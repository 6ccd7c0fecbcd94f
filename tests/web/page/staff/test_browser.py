"""In a browser, the page for staff is accessible, can be used with the keyboard, and works without JavaScript."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.browser import until
from tests.support.web_service import LONG_DEADLINE
from tests.web.page.test_accessibility import colour_violations, violations
from web.server import running

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = ("", "/synonyms", "/rules", "/quarantine", "/models")


@pytest.fixture
def site(own_database: Database) -> Iterator[tuple[str, str]]:
    """Yields the address of the page and an admin key. Every table of the page has a row."""
    with own_database.connect(None) as conn, conn.begin():
        key = api_keys.create(conn, "desk", ["admin"])
        for statement in (
            "insert into shop.catalog (catalog) values ('other')",
            "insert into shop.judgement (query, sku, grade) values ('bag', 'sku 3', 3)",
            "insert into shop.synonym (terms) values ('{divan,couch}')",
            """insert into shop.rule (name, condition, action, status)
                values ('old', '{"query": "laces"}', '{"pin": "sku 9", "at": 1}', 'live')""",
            "insert into shop.event (kind, query, results) select 'search', 'couch', 0 from generate_series(1, 6)",
            "insert into shop.event (kind, query, results) select 'search', 'lamp', 4 from generate_series(1, 6)",
            """update shop_private.work set state = 'quarantined', error = 'the file is damaged'
                where product_id = shop.product_id('sku 7', 'main') and part = 'image'""",
        ):
            conn.execute(text(statement))
    with running(own_database, LONG_DEADLINE.model_copy(update={"api_keys": "on"})) as address:
        yield address + "/staff", key


def signed_in(page: "Page", key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Queries").wait_for()


@pytest.mark.parametrize(
    ("language", "width"),
    [
        ("en", 1280),
        *(pytest.param(*other, marks=pytest.mark.clients) for other in (("de", 320), ("ar", 1280), ("ar", 320))),
    ],
)
def test_no_page_violates_accessibility_rules_or_is_wider_than_the_window(
    site: tuple[str, str], visit: Callable[..., "Page"], language: str, width: int
) -> None:
    address, key = site
    page = visit(f"{address}?lang={language}", width=width, color_scheme="light")
    assert violations(page) == [], "sign in"
    page.locator("#key-field").fill(key)
    page.keyboard.press("Enter")
    page.locator("nav [aria-current=page]").wait_for()
    for name in PAGES:
        page.emulate_media(color_scheme="light")
        page.goto(f"{address}{name}?lang={language}")
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.emulate_media(color_scheme="dark")
        assert colour_violations(page) == [], f"{name} in dark colours"


def test_a_rule_is_previewed_while_typing_and_saved_by_keyboard(
    site: tuple[str, str], visit: Callable[..., "Page"]
) -> None:
    address, key = site
    page = visit(address)
    signed_in(page, key)
    page.get_by_role("link", name="Add a rule for couch").click()
    assert page.get_by_label("Words or category").input_value() == "couch"
    page.get_by_label("Name").focus()
    page.keyboard.type("first")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("bag")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("sku 3")
    page.locator("#preview .entered, #preview article").first.wait_for()
    assert "Changed searches: " in page.locator("#preview").inner_text()
    assert violations(page) == []
    assert page.get_by_text("first").count() == 0  # not saved yet
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("The rule is saved.").wait_for()
    row = page.get_by_role("row", name="first")
    assert "sku 3 comes at place 1" in row.inner_text() and "live" in row.inner_text()


def test_without_javascript_everything_works_except_the_preview_while_typing(
    site: tuple[str, str], visit: Callable[..., "Page"]
) -> None:
    address, key = site
    page = visit(address, java_script_enabled=False)
    signed_in(page, key)
    page.get_by_role("link", name="Synonyms").click()
    page.get_by_label("Terms that mean the same").fill("bag, laces")
    page.get_by_role("button", name="Preview").click()
    assert "Changed searches: " in page.locator("#preview").inner_text()
    assert page.get_by_label("Terms that mean the same").input_value() == "bag, laces"
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="bag, laces")
    row.locator("summary").click()
    row.get_by_role("button", name="Remove for good").click()
    assert "The synonym is removed." in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="Quarantine").click()
    page.get_by_role("button", name="Try all again").click()
    assert page.get_by_text("Nothing is in quarantine.").is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto(address + "/rules")
    assert page.get_by_label("API key").is_visible()


def test_no_script_reads_the_cookie_and_a_link_of_another_site_brings_no_session(
    site: tuple[str, str], visit: Callable[..., "Page"]
) -> None:
    address, key = site
    page = visit(address)
    signed_in(page, key)
    until(page, "document.cookie === ''")
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/staff")
    assert key not in cookie["value"]
    # To the browser, localhost is another site than 127.0.0.1.
    page.goto(address.replace("127.0.0.1", "localhost"))
    page.evaluate(f"location.href = '{address}/rules'")
    page.wait_for_url(f"{address}/rules")
    assert page.get_by_label("API key").is_visible()
    page.goto(address + "/rules")  # the request without the cookie has not ended the session
    assert page.get_by_role("heading", name="Saved rules").is_visible()
