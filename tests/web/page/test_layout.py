"""The page uses the width and height of the screen, and its parts look as designed."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import CARDS, until
from web.page.state import PAGE

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]
# A case has the width and the height of a screen, whether it is a phone, and the number of products in a row.
SCREENS = [
    (320, 640, True, 2),
    (768, 1024, False, 3),
    (1920, 1080, False, 6),
    *(
        pytest.param(*screen, marks=pytest.mark.clients)
        for screen in ((390, 844, True, 2), (844, 390, True, 4), (1024, 768, False, 3), (1440, 900, False, 4))
    ),
]


@pytest.mark.parametrize(("width", "height", "phone", "in_a_row"), SCREENS)
def test_rows_are_full_and_the_page_is_as_wide_as_the_screen(
    shop: str, visit: Visit, width: int, height: int, phone: bool, in_a_row: int
) -> None:
    page = visit(f"{shop}/?q=guitar", width=width, height=height, has_touch=phone, is_mobile=phone)
    boxes = page.locator(CARDS).evaluate_all("all => all.map(card => card.getBoundingClientRect().top)")
    assert boxes.count(boxes[0]) == in_a_row and PAGE % in_a_row == 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#filters").is_visible() != phone
    line = [page.locator(name).bounding_box() for name in ("#count", "#sort")]
    assert line[0] and line[1]
    assert abs(line[0]["y"] + line[0]["height"] / 2 - line[1]["y"] - line[1]["height"] / 2) < 2
    tile = page.locator(".tile").nth(in_a_row - 1).bounding_box()
    assert tile and tile["y"] + tile["height"] <= height  # the first row is visible without scrolling


def test_the_price_comes_after_the_image_and_before_the_title(shop: str, visit: Visit) -> None:
    card = visit(f"{shop}/?q=guitar").locator(CARDS).first
    tops = [card.locator(part).evaluate("e => e.getBoundingClientRect().top") for part in (".tile", ".price", "h3")]
    assert tops == sorted(tops) and len(set(tops)) == 3
    style = card.locator(".price").evaluate("e => [getComputedStyle(e).fontSize, getComputedStyle(e).fontWeight]")
    assert style == ["16px", "600"]


def test_actions_appear_when_a_card_has_the_pointer_or_the_focus(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar")
    opacity = "Number(getComputedStyle(document.querySelector('#products .acts')).opacity)"
    assert page.evaluate(opacity) == 0
    page.locator(CARDS).first.hover()
    until(page, f"{opacity} === 1")
    page.mouse.move(0, 0)
    until(page, f"{opacity} === 0")
    page.locator(CARDS).first.locator(".acts a").first.focus()
    until(page, f"{opacity} === 1")


def test_actions_are_visible_without_a_tap_on_a_touch_screen(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar", width=390, height=844, has_touch=True, is_mobile=True)
    acts = page.locator(CARDS).first.locator(".acts")
    assert acts.evaluate("acts => getComputedStyle(acts).opacity") == "1"
    heights = acts.locator("a, summary").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert len(heights) == 3 and min(heights) >= 40


def test_tiles_are_not_bright_in_the_dark_colour_scheme(shop: str, visit: Visit) -> None:
    page = visit(shop, color_scheme="dark")
    color = page.evaluate("getComputedStyle(document.querySelector('#products .tile')).backgroundColor")
    assert max(int(part) for part in re.findall(r"\d+", color)[:3]) < 170, color


def test_the_start_page_offers_queries_and_categories_with_images(shop: str, visit: Visit) -> None:
    page = visit(shop)
    page.wait_for_load_state("networkidle")
    images = page.locator(".categories img")
    assert images.count() >= 3
    assert min(images.evaluate_all("all => all.map(image => image.naturalWidth)")) > 0
    page.locator(".intro p a").first.click()
    page.wait_for_url(re.compile(r"\?q="))
    assert page.locator(".categories").count() == 0
    page.go_back()
    page.locator(".categories a").first.click()
    page.wait_for_url(re.compile("product_type="))


def test_a_printed_page_has_the_results_and_no_controls(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar&like=WS-00460&lang=de&cut=none")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in (".top", "#filters", ".sort", ".acts", ".more", ".languages", ".chip a", ".progress"):
        found = page.locator(hidden)
        assert found.count() > 0, hidden
        assert not any(one.is_visible() for one in found.all()), hidden
    for shown in ("#count", ".chip"):
        assert page.locator(shown).first.is_visible()
    assert page.locator(CARDS).count() == PAGE
    assert all(one.is_visible() for one in page.locator(CARDS).all())
    tops = page.locator(CARDS).evaluate_all("all => all.map(card => card.getBoundingClientRect().top)")
    assert tops.count(tops[0]) == 4
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    page.goto(f"{shop}/product?sku=WS-00460")
    page.emulate_media(media="print")
    assert page.locator(".view h1").is_visible() and page.locator(".view img").first.is_visible()
    assert not page.locator(".top").is_visible()


@pytest.mark.parametrize("width", [1280, 320])
def test_without_javascript_the_page_offers_only_what_works(shop: str, visit: Visit, width: int) -> None:
    page = visit(f"{shop}/?lang=de", java_script_enabled=False, width=width)
    assert page.locator(".intro p:visible").first.inner_text() == (
        "Beschreiben Sie es in eigenen Worten oder wählen Sie ein Bild."
    )
    button = page.locator("#upload button", has_text="Mit einem Bild suchen").bounding_box()
    assert button
    assert button["x"] + button["width"] <= width
    assert button["height"] < 50  # the text of the button is on one line


def test_without_javascript_the_values_of_a_long_list_begin_below_its_name(shop: str, visit: Visit) -> None:
    page = visit(shop, java_script_enabled=False)
    lists = page.locator(".filters fieldset:has([data-find])")
    name, first, second = (
        lists.first.locator(each).bounding_box() for each in ("legend", "li >> nth=0", "li >> nth=1")
    )
    assert name and first and second
    assert not lists.first.locator("[data-find]").is_visible()
    assert first["y"] >= name["y"] + name["height"]
    assert first["height"] == pytest.approx(second["height"], abs=20)  # a long value has two lines
