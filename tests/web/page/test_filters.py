"""The filters begin with the field that most products have, and show how colours look. Visitors can search inside long
lists, and set the highest price with a slider."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.browser import until
from web.api.facet_schemas import FacetOf, FacetValue
from web.page.filters import SEARCHED, groups
from web.page.state import PageState
from web.page.swatches import swatch

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


def facet(field: str, missing: int, *values: str) -> FacetOf:
    counted = [FacetValue("value", 10, value) for value in values]
    return FacetOf(field, True, None, [*counted, FacetValue("missing", missing)])


def test_the_field_that_most_products_have_comes_first() -> None:
    facets = [facet("product_type", 300, "bag"), facet("brand", 0, "Nord", "Sur"), facet("color", 20, "red", "blue")]
    assert [group.name for group in groups(PageState(), facets)] == ["brand", "color", "product_type"]
    few = [facet("brand", 80, "Nord", "Sur"), facet("size", 0, "S", "M")]
    assert [group.name for group in groups(PageState(), few)] == ["size", "brand"]


def test_the_only_currency_is_no_filter_and_several_currencies_are_a_filter() -> None:
    assert groups(PageState(), [facet("currency", 0, "EUR")]) == []
    assert [group.name for group in groups(PageState(), [facet("currency", 0, "EUR", "JPY")])] == ["currency"]


def test_a_colour_has_a_swatch_if_a_word_of_its_name_is_known() -> None:
    assert swatch("Dark Navy blue") == swatch("navy")
    assert swatch("off-white") == "#ffffff"
    assert swatch("Sunset dream") is None


def test_a_colour_in_the_filters_has_its_swatch(shop: str, visit: Visit) -> None:
    page = visit(shop)
    assert page.locator("label", has_text="blue").locator("circle").get_attribute("fill") == swatch("blue")


def test_a_long_list_can_be_searched(shop: str, visit: Visit) -> None:
    page = visit(shop)
    kinds = page.get_by_role("group", name="Kind")
    assert kinds.locator("li").count() > SEARCHED
    page.get_by_label("Find in Kind").fill("instru")
    assert [one.strip() for one in kinds.locator("li:visible span").all_inner_texts()] == ["Musical instruments"]
    page.get_by_label("Find in Kind").fill("")
    assert kinds.locator("li:visible").count() > SEARCHED
    assert page.url == f"{shop}/"


def test_the_slider_sets_the_price_with_the_keyboard(shop: str, visit: Visit) -> None:
    page = visit(f"{shop}/?q=guitar")
    highest = page.get_by_label("Highest price")
    highest.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.wait_for_url(re.compile(r"price_max=\d+"))
    until(page, "document.querySelector('#price_max').value !== ''")
    limit = float(page.locator("#price_max").input_value())
    shown = [float(price.strip("$").replace(",", "")) for price in page.locator(".price").all_inner_texts()]
    assert shown and max(shown) <= limit
    assert highest.get_attribute("aria-valuetext") == f"${limit:g}"
    highest.press("End")
    page.wait_for_url(re.compile(r"q=guitar$"))
