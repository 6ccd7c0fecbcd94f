"""Visitors can use the page with a mouse, with a keyboard, on a phone and without JavaScript."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import CARDS, GUITAR, box, expect_first, hand_over, hold, titles, until
from tests.web.page.reading import png

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


# --- products and results


@pytest.mark.parametrize("path", ["/", "/?q=guitar", "/product?sku=WS-00460"])
def test_a_page_loads_its_images_without_layout_shift(shop: str, visit: Visit, path: str) -> None:
    page = visit("about:blank")
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => list.getEntries().forEach((one) => window.moved += "
        "one.value)).observe({ type: 'layout-shift', buffered: true })"
    )
    page.goto(shop + path)
    page.wait_for_load_state("networkidle")
    if path == "/":
        assert page.locator(CARDS).count() == 24
    seen = "images => images.filter(image => image.loading !== 'lazy').map(image => image.naturalWidth)"
    widths = page.locator(".tile img").evaluate_all(seen)
    assert len(widths) >= 8 and min(widths) > 0
    assert page.evaluate("window.moved") < 0.01
    page.evaluate('localStorage.setItem(\'windowshop.seen/\', \'[{"address":"/product?sku=WS-00460","title":"x"}]\')')
    page.reload()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.moved") < 0.01
    assert page.evaluate("[...document.scripts].every(script => !script.src || script.src.startsWith(location.origin))")


def test_typing_a_query_sends_one_search_after_the_last_letter(shop: str, visit: Visit) -> None:
    page = visit("about:blank")
    page.clock.install(time=0)
    page.goto(shop)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/?q=" in request.url else None)
    page.clock.pause_at(60_000)  # on a busy machine, the real time between two letters can exceed the wait of the page
    for letter in "a guitar":
        box(page).press_sequentially(letter)
        page.clock.run_for(40)
    assert asked == []
    page.clock.resume()
    expect_first(page, "guitar")
    assert len(asked) == 1
    assert page.url == f"{shop}/?q=a%20guitar"
    assert page.title().startswith("a guitar ")
    assert box(page).evaluate("box => box === document.activeElement && box.selectionStart === box.value.length")
    assert "products" in page.get_by_role("status").inner_text()


def test_a_late_answer_to_an_older_query_does_not_replace_newer_results(shop: str, visit: Visit) -> None:
    page = visit(shop)
    held = hold(page, r"\?q=a\+?(%20)?drum")
    box(page).fill("a drum")
    until(page, "document.querySelector('#results').getAttribute('aria-busy')")
    box(page).fill("a guitar")
    expect_first(page, "guitar")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    assert page.url.endswith("q=a%20guitar")
    expect_first(page, "guitar")


# --- images


def test_an_image_file_can_be_chosen_as_the_query(shop: str, visit: Visit) -> None:
    page = visit(shop)
    page.locator("#file").set_input_files(GUITAR)
    page.locator(".chip-image").wait_for()
    expect_first(page, "guitar")
    assert re.search(r"\?picture=[0-9a-f]{32}$", page.url)
    assert page.locator(".chip-image img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_an_image_can_be_dropped_or_pasted_as_the_query(shop: str, visit: Visit, kind: str) -> None:
    page = visit(shop)
    if kind == "drop":
        hand_over(page, "dragover")
        page.get_by_text("Drop the image to search with it").wait_for()
    hand_over(page, kind)
    page.locator(".chip-image").wait_for()
    expect_first(page, "guitar")
    assert not page.get_by_text("Drop the image to search with it").is_visible()


def test_an_image_and_words_are_searched_together_and_the_image_can_be_removed(shop: str, visit: Visit) -> None:
    page = visit(shop)
    hand_over(page, "drop")
    page.locator(".chip-image").wait_for()
    box(page).fill("drum")
    page.wait_for_url(re.compile(r"q=drum&picture="))
    box(page).press("Escape")  # closes the suggestions
    page.locator(".chip-image a").click()
    page.wait_for_url(f"{shop}/?q=drum")
    expect_first(page, "drum")


def test_a_file_that_is_not_an_image_shows_a_message_and_the_results_stay(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=drum&cut=none")
    page.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no image"})
    page.get_by_role("alert").get_by_text("cannot be opened as").wait_for()
    assert page.locator(CARDS).count() == 24
    box(page).fill("guitar")
    page.wait_for_url(re.compile("q=guitar"))
    until(page, "!document.querySelector('#notice').textContent")


# --- filters, more and less like a product, explanations


def test_a_filter_narrows_the_results_and_its_chip_removes_the_filter(shop: str, visit: Visit) -> None:
    page = visit(shop)
    page.get_by_label(re.compile("^Musical instruments")).check()
    page.wait_for_url(re.compile("product_type=Musical%20instruments"))
    page.locator("#price_max").fill("50")
    page.locator("#price_max").press("Enter")
    page.wait_for_url(re.compile("price_max=50"))
    prices = [float(price.strip("$").replace(",", "")) for price in page.locator(".price").all_inner_texts()]
    assert prices and max(prices) <= 50
    page.get_by_role("link", name="Remove Up to $50").click()
    page.wait_for_url(re.compile("instruments$"))
    page.get_by_role("link", name="Remove Musical instruments").click()
    page.wait_for_url(f"{shop}/")
    assert not page.get_by_label(re.compile("^Musical instruments")).is_checked()


def test_a_product_chosen_by_more_like_this_or_less_like_this_becomes_a_chip(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar")
    first = titles(page)[0]
    page.locator(CARDS).nth(0).get_by_role("link", name="More like this").click()
    page.locator(".chip-like", has_text=first).wait_for()
    page.locator(CARDS).nth(3).get_by_role("link", name="Less like this").click()
    page.locator(".chip-unlike").wait_for()
    assert re.search(r"\?q=guitar&like=WS-\d+&unlike=WS-\d+$", page.url)
    box(page).fill("")
    page.wait_for_url(re.compile(r"\?like=WS-\d+&unlike=WS-\d+$"))
    page.get_by_role("link", name="Clear all").click()
    page.wait_for_url(f"{shop}/")


def test_the_reasons_of_a_result_are_plain_words_and_escape_closes_their_list(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar")
    why = page.locator(CARDS).first.locator(".why")
    why.locator("summary").click()
    said = why.locator("ul").inner_text()
    assert "The title says “guitar”." in said
    assert re.search("Looks (very much )?like “guitar”.", said)
    page.keyboard.press("Escape")
    assert not why.locator("ul").is_visible()
    assert why.locator("summary").evaluate("summary => summary === document.activeElement")
    hand_over(page, "drop")
    page.locator(".chip-image").wait_for()
    box(page).fill("")
    page.wait_for_url(re.compile(r"\?picture="))
    page.locator(CARDS).first.locator("summary").click()
    assert "Looks very much like your image." in page.locator(".why[open] ul").inner_text()


def test_more_results_are_appended_and_the_first_new_result_gets_the_focus(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar&cut=none")
    page.get_by_role("link", name="More results").click()
    page.locator(f"{CARDS}:nth-child(48)").wait_for()
    assert len(set(page.locator(f"{CARDS} .acts a:first-child").evaluate_all("all => all.map(a => a.search)"))) == 48
    page.wait_for_url(f"{shop}/?q=guitar&cut=none&shown=48")
    until(page, "document.activeElement === document.querySelector('#products > li:nth-child(25)')")


# --- links


def test_the_back_button_returns_to_earlier_searches_not_to_half_typed_queries(shop: str, visit: Visit) -> None:
    page = visit(shop)
    box(page).fill("gui")
    page.wait_for_url(f"{shop}/?q=gui")
    box(page).fill("guitar")
    page.wait_for_url(f"{shop}/?q=guitar")
    page.get_by_label(re.compile("^In stock")).check()
    page.wait_for_url(f"{shop}/?q=guitar&availability=in_stock")
    page.go_back()
    until(page, "!document.querySelector('.chip-filter')")
    assert box(page).input_value() == "guitar"
    assert not page.get_by_label(re.compile("^In stock")).is_checked()
    page.go_back()
    until(page, "document.querySelector('#q').value === ''")
    assert page.url == f"{shop}/"
    page.go_forward()
    until(page, "document.querySelector('#q').value === 'guitar'")
    box(page).fill("drum")
    expect_first(page, "drum")  # a new search still works


def test_a_link_shows_another_visitor_the_same_results(shop: str, visit: Visit) -> None:
    one = visit(shop)
    hand_over(one, "drop")
    one.locator(".chip-image").wait_for()
    one.get_by_label(re.compile("^In stock")).check()
    one.wait_for_url(re.compile("availability"))
    other = visit(one.url)
    assert titles(other) == titles(one)
    assert other.locator(".chip").all_inner_texts() == one.locator(".chip").all_inner_texts()


def test_text_and_filters_work_without_javascript(shop: str, visit: Visit) -> None:
    page = visit(shop, java_script_enabled=False)
    box(page).fill("guitar")
    page.locator(".go").click()
    expect_first(page, "guitar")
    page.get_by_label(re.compile("^In stock")).check()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile("availability=in_stock"))
    page.get_by_role("link", name="Show less relevant products").click()
    page.wait_for_url(re.compile("availability=in_stock.*cut=none"))
    first = titles(page)
    page.get_by_role("link", name="More results").click()
    page.wait_for_url(re.compile("after=.*cut=none"))
    assert titles(page) != first
    page.locator(CARDS).first.get_by_role("link", name="More like this").click()
    page.locator(".chip-like").wait_for()


def test_an_image_is_uploaded_without_javascript(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar&availability=in_stock", java_script_enabled=False)
    page.get_by_label("Search with an image").set_input_files(
        {"name": "no image.png", "mimeType": "image/png", "buffer": b"no image"}
    )
    page.locator("#upload button", has_text="Search with an image").click()
    page.get_by_role("heading", name="This cannot be searched for.").wait_for()
    assert page.get_by_text("This file cannot be opened as an image.").is_visible()
    page.goto(f"{shop}/?q=guitar&availability=in_stock")
    page.get_by_label("Search with an image").set_input_files(
        {"name": "photo.png", "mimeType": "image/png", "buffer": png()}
    )
    page.locator("#upload button", has_text="Search with an image").click()
    page.wait_for_url(re.compile(r"/\?q=guitar&picture=[0-9a-f]{32}&availability=in_stock$"))
    assert page.get_by_alt_text("Your image").first.is_visible()
    assert page.locator(CARDS).count() > 0


def test_without_javascript_a_button_sends_the_chosen_order(shop: str, visit: Visit) -> None:
    page = visit(shop, java_script_enabled=False)
    page.get_by_label("Sort by").select_option("Price: low to high")
    page.get_by_role("button", name="Sort").click()
    page.wait_for_url(re.compile("sort=price_asc"))
    assert page.get_by_label("Sort by").input_value() == "price_asc"


# --- keyboard, phone, dark mode, reduced motion


def test_sorting_with_the_keyboard_keeps_the_focus_and_the_filters(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?availability=in_stock")
    page.get_by_label("Sort by").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_url(re.compile("availability=in_stock&sort=price_asc$"))
    until(page, "document.activeElement.id === 'sort' && document.activeElement.value === 'price_asc'")
    box(page).fill("guitar")
    page.wait_for_url(re.compile("q=guitar&availability=in_stock&sort=price_asc$"))
    prices = [float(price.strip("$").replace(",", "")) for price in page.locator(".price").all_inner_texts()]
    assert prices == sorted(prices)
    page.get_by_label("Sort by").select_option("Best match")
    expect_first(page, "guitar")


def test_a_visitor_can_search_and_filter_with_the_keyboard_alone(shop: str, visit: Visit) -> None:
    page = visit(shop)
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.textContent") == "Skip to the products"
    while not page.evaluate(f"{focused}.id === 'q'"):
        page.keyboard.press("Tab")
    page.keyboard.type("guitar")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=guitar"))
    while not page.evaluate(f"{focused}.type === 'checkbox'"):
        page.keyboard.press("Tab")
    name = page.evaluate(f"{focused}.id")
    page.keyboard.press("Space")
    page.wait_for_url(re.compile("product_type="))
    until(page, f"document.activeElement.id === '{name}' && document.activeElement.checked")
    while not page.evaluate(f"{focused}.textContent.startsWith('More like this')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".chip-like").wait_for()
    until(page, "document.activeElement.id === 'count'")


@pytest.mark.parametrize("width", [320, 390])
def test_the_page_fits_the_width_of_a_phone(shop: str, visit: Visit, width: int) -> None:
    page = visit(f"{shop}/?q=guitar&like=WS-00460", width=width, height=700, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box_, go = box(page).bounding_box(), page.locator(".go").bounding_box()
    assert box_ and go and box_["width"] > 150 and go["x"] + go["width"] <= width
    left, right = (page.locator(CARDS).nth(n).bounding_box() for n in (0, 1))
    assert left and right and left["y"] == right["y"]
    page.get_by_role("button", name="Filters").tap()
    page.get_by_label(re.compile("^Musical instruments")).check()
    page.wait_for_url(re.compile("product_type"))
    page.get_by_label(re.compile("^In stock")).check()  # the sheet of filters is still open
    page.wait_for_url(re.compile("availability"))
    page.get_by_role("button", name="Done").tap()
    page.get_by_role("button", name="Filters · 2").wait_for()
    assert not page.get_by_label(re.compile("^In stock")).is_visible()


def test_the_page_is_dark_in_dark_mode(shop: str, visit: Visit) -> None:
    page = visit(shop, color_scheme="dark")
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in re.findall(r"\d+", color)[:3]) < 64, color


def test_reduced_motion_turns_animations_off(shop: str, visit: Visit) -> None:
    page = visit(shop, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('.tile img')).transitionDuration") == "0s"
    assert page.evaluate("getComputedStyle(document.querySelector('.progress'), '::before').animationName") == "none"
