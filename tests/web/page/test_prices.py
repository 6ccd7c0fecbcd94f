"""The price filter reads a bound with a comma or a point, and shows the price ranges of one currency. If a
product has a reduced price, the filter compares the reduced price."""

import re

import pytest
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.reading import count
from web.api.facet_schemas import FacetOf, FacetValue
from web.page import prices, state
from web.page.state import PageState


def ranges(*rows: tuple[float, float, int, str | None]) -> list[FacetOf]:
    values = [
        FacetValue("range", products, low=low, high=high, currency=currency) for low, high, products, currency in rows
    ]
    return [FacetOf("effective_price", True, None, values)]


@pytest.mark.parametrize(
    ("price", "shown"),
    [(9_999_999, "9,999,999"), (10_000_000, "10,000,000"), (1e10, "10,000,000,000"), (1_234_567.5, "1,234,567.5"),
     (0, "0"), (0.05, "0.05"), (100, "100"), (1200, "1,200")],
)  # fmt: skip
def test_price_bounds_are_shown_in_full_and_can_be_typed_again(price: float, shown: str) -> None:
    found = prices.prices(PageState(), ranges((0, price, 3, "EUR")), "EUR")
    assert found is not None
    assert (found.low, found.high) == ("0", shown)
    assert state.read([("price_max", shown)]).price_max == price


@pytest.mark.parametrize(
    ("written", "price"),
    [("9,5", 9.5), ("9,50", 9.5), ("1,000", 1000), ("1,000.50", 1000.5), ("0,125", 0.125), ("1000,5", 1000.5)],
)
def test_a_comma_in_a_price_bound_is_read_as_a_thousands_or_decimal_separator(written: str, price: float) -> None:
    assert state.read([("price_min", written)]).price_min == price


def test_prices_in_several_currencies_have_no_filter_until_a_currency_is_chosen() -> None:
    facets = ranges((10, 20, 5, "EUR"), (20, 30, 5, "EUR"), (1000, 9000, 2, "JPY"), (5, 5, 1, None))
    facets.append(FacetOf("currency", True, None, [FacetValue("value", 10, "EUR"), FacetValue("value", 2, "JPY")]))
    assert prices.currency_of(PageState(), facets) is None
    assert prices.prices(PageState(), facets, None) is None
    chosen = PageState(chosen={"currency": ("JPY",)})
    assert prices.currency_of(chosen, facets) == "JPY"
    found = prices.prices(chosen, facets, "JPY")
    assert found is not None
    assert (found.sign, found.low, found.high, len(found.bars)) == ("¥", "1,000", "9,000", 1)


def test_bars_are_at_their_prices_and_have_areas_in_proportion_to_product_counts() -> None:
    facets = ranges((0, 10, 30, "EUR"), (10, 20, 30, "EUR"), (20, 200, 30, "EUR"), (200, 2000, 30, "EUR"))
    found = prices.prices(PageState(price_min=20, price_max=200), facets, "EUR")
    assert found is not None
    starts = [bar.x for bar in found.bars]
    widths = [end - start for start, end in zip(starts, [*starts[1:], prices.AXIS], strict=True)]
    areas = [bar.height * width for bar, width in zip(found.bars, widths, strict=True)]
    assert max(areas) < 1.1 * min(areas)  # heights are rounded
    assert len(set(widths)) > 1
    assert (found.start, found.end) == (starts[2], starts[3])
    assert [bar.chosen for bar in found.bars] == [False, False, True, True]


def test_the_page_shows_the_old_price_and_the_price_filter_uses_the_reduced_price(
    serve: Serve, own_database: Database
) -> None:
    changes = {
        "sku 40": "sale_price = 1.25",
        "sku 41": "sale_price = 1.25, sale_ends_at = '2000-01-01'",
        "sku 42": "compare_at_price = 99",
        "sku 43": "compare_at_price = 2",
    }
    with own_database.connect(None) as conn, conn.begin():
        for sku, change in changes.items():
            conn.execute(text(f"update shop.product set {change} where sku = :sku"), {"sku": sku})
    with serve(own_database) as client:
        page = client.get("/?price_max=2").text
        assert count(page) == "2 products"
        assert '€1.25 <s><span class="unseen">instead of </span>€60</s>' in page
        page = client.get("/?price_min=60&price_max=66").text
        assert count(page) == "4 products"  # sku 40 is missing, because its reduced price is below the bound
        assert re.findall(r"(\S+) <s><span class=\"unseen\">instead of </span>(\S+)</s>", page) == [
            ('class="price">€63', "€99")
        ]
