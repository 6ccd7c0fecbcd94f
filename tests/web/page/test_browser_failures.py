"""If a request fails, visitors see a message, and their results stay."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.browser import CARDS, box, expect_first, hand_over, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


def test_without_an_encoder_a_banner_says_that_only_words_were_searched(sleeping_shop: str, visit: Visit) -> None:
    page = visit(sleeping_shop)
    box(page).fill("guitar")
    page.get_by_text("Only words were searched").wait_for()
    expect_first(page, "guitar")
    hand_over(page, "drop")
    page.wait_for_url(re.compile("picture="))
    assert page.get_by_text("Only words were searched").is_visible()
    box(page).fill("")
    page.get_by_role("heading", name="Images cannot be understood at the moment.").wait_for()
    page.locator(".chip-image a").click()
    page.wait_for_url(f"{sleeping_shop}/")
    assert page.locator(CARDS).count() == 24


def test_a_failed_request_shows_a_message_and_the_results_stay(shop: str, visit: Visit) -> None:
    page = visit(shop)
    page.route(re.compile("q=drum"), lambda route: route.abort())
    box(page).fill("drum")
    page.get_by_role("alert").get_by_text("The shop cannot be reached.").wait_for()
    problem = '{"title": "Too many requests", "detail": "At most 600 requests a minute."}'
    page.route(
        re.compile("q=guitar"),
        lambda route: route.fulfill(status=429, content_type="application/problem+json", body=problem,
                                    headers={"X-Request-Id": "r-17"}),
    )  # fmt: skip
    box(page).fill("guitar")
    page.get_by_role("alert").get_by_text("These were too many searches").wait_for()
    assert "r-17" in page.get_by_role("alert").inner_text()
    assert page.locator(CARDS).count() == 24
    page.unroute_all()
    box(page).fill("guitars")
    expect_first(page, "guitar")
    assert page.get_by_role("alert").inner_text() == ""


def test_a_search_by_an_unknown_product_shows_an_error_with_a_link_back(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?like=nothing")
    assert page.get_by_role("heading", name="There is nothing here.").is_visible()
    assert re.search(r"Request [0-9a-f]{16}", page.locator("main").inner_text())
    page.get_by_role("link", name="Remove nothing").click()
    page.wait_for_url(f"{shop}/")
    assert page.locator(CARDS).count() == 24


def test_an_error_page_of_a_proxy_is_not_shown_in_place_of_the_results(shop: str, visit: Visit) -> None:
    page = visit(shop)
    body = "<html><body><center><h1>nginx</h1></center></body></html>"
    page.route(re.compile("q=guitar"), lambda route: route.fulfill(status=502, content_type="text/html", body=body))
    page.route(re.compile("/picture$"), lambda route: route.fulfill(status=413, content_type="text/html", body=body))
    box(page).fill("guitar")
    page.get_by_role("alert").get_by_text("The shop cannot be reached at the moment.").wait_for()
    hand_over(page, "drop")
    page.get_by_role("alert").get_by_text("The image is too large.").wait_for()
    assert page.get_by_text("nginx").count() == 0
    assert page.locator(CARDS).count() == 24
    page.unroute_all()
    hand_over(page, "drop")
    page.locator(".chip-image").wait_for()


def test_an_icon_replaces_an_image_that_cannot_be_loaded(shop: str, visit: Visit) -> None:
    page = visit("about:blank")
    page.route(re.compile("/images/"), lambda route: route.fulfill(status=404, body=""))
    page.goto(shop)
    until(page, "document.querySelectorAll('#products .missing').length >= 8")
    assert page.locator("#products .missing img").count() == 0
    assert page.locator("#products .missing .icon").first.is_visible()
    page.unroute_all()
    box(page).fill("guitar")
    expect_first(page, "guitar")
    assert page.locator("#products .missing").count() == 0
