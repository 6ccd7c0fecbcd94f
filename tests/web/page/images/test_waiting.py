"""While results load for longer than a moment, placeholders of the same size replace the cards."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.browser import CARDS, box, expect_first, hold, until
from tests.web.page.test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]
PLACES = "all => all.map(card => Object.values(card.getBoundingClientRect().toJSON()).join())"
SHIFTS = """new PerformanceObserver(list => { for (const one of list.getEntries()) window.shifted += one.value; })
  .observe({ type: "layout-shift", buffered: true })"""
# OTHER sends a request with an hx-sync of its own, like the request for similar products. A request without hx-sync
# would end the search.
OTHER = """() => {
  const notice = document.querySelector("#notice");
  notice.setAttribute("hx-sync", "this");
  htmx.ajax("GET", "/similar?sku=WS-00460", { source: notice, target: notice, swap: "innerHTML" });
}"""
WAITING = "document.querySelector('.waiting') !== null"


def test_placeholders_have_the_size_of_the_cards_and_disappear_with_the_results(shop: str, visit: Visit) -> None:
    page = visit(shop)
    page.wait_for_load_state("networkidle")
    places = page.locator(CARDS).evaluate_all(PLACES)
    page.evaluate(f"window.shifted = 0; {SHIFTS}")
    held = hold(page, r"/\?q=guitar")
    box(page).fill("guitar")
    until(page, WAITING)
    assert page.locator("#results").get_attribute("aria-busy") == "true"
    assert page.locator(CARDS).evaluate_all(PLACES) == places
    until(page, "Number(getComputedStyle(document.querySelector('#products img')).opacity) === 0")
    title = page.locator(f"{CARDS} h3 a").first
    assert title.evaluate("e => getComputedStyle(e).color") == "rgba(0, 0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.querySelector('.grid')).animationName") == "breathe"
    assert page.evaluate("getComputedStyle(document.querySelector('.progress')).opacity") != "0"
    assert violations(page) == []
    assert page.evaluate("window.shifted") == 0
    held[0].continue_()
    expect_first(page, "guitar")
    until(page, f"!({WAITING})")
    assert page.locator("#results").get_attribute("aria-busy") is None


def test_placeholders_stand_still_if_the_visitor_wants_less_motion(shop: str, visit: Visit) -> None:
    page = visit(shop, reduced_motion="reduce")
    held = hold(page, r"/\?q=guitar")
    box(page).fill("guitar")
    until(page, WAITING)
    assert page.evaluate("getComputedStyle(document.querySelector('.grid')).animationName") == "none"
    held[0].abort()
    until(page, f"!({WAITING})")
    assert page.locator(CARDS).count() == 24


def test_the_end_of_another_request_does_not_end_the_wait(shop: str, visit: Visit) -> None:
    page = visit(shop)
    held = hold(page, r"/\?q=guitar")
    box(page).fill("guitar")
    until(page, WAITING)
    page.evaluate(OTHER)
    until(page, "document.querySelector('#notice .grid') !== null")
    page.wait_for_timeout(500)
    assert page.evaluate(WAITING) is True
    held[0].continue_()
    expect_first(page, "guitar")
    until(page, f"!({WAITING})")


def test_more_results_keep_the_products_that_are_shown(shop: str, visit: Visit) -> None:
    page = visit(shop)
    held = hold(page, "after=")
    page.get_by_role("link", name="More results").click()
    until(page, "document.querySelector('#results').getAttribute('aria-busy') === 'true'")
    page.wait_for_timeout(400)
    assert page.evaluate(WAITING) is False
    held[0].continue_()
    until(page, "document.querySelectorAll('#products > li').length === 48")
