"""Builds the filters beside the results: lists of values with their counts, and the price range with a histogram."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from web.api.facet_schemas import FacetOf, FacetValue
from web.page.formatting import SIGNS, grouped, label
from web.page.state import FIELDS, PageState, amount

PRICE_FIELD = "effective_price"  # the price at the time of the request
# The counts of the currency facet add up to the number of products that pass the filters. A facet ignores only the
# filter on its own field, and the page has no filter on the currency.
TOTAL_FIELD = "currency"
_LEGENDS = {"product_type": "Kind", "brand": "Brand", "color": "Colour", "availability": "Availability"}
_LISTED = 8  # values of a facet that are visible before "more" is opened; "more" holds at least two values
_BAR_STEP, _BAR_HEIGHT, _MIN_BAR_HEIGHT = 10, 100, 3  # in units of the viewBox of the histogram's SVG


@dataclass(frozen=True, slots=True)
class Value:
    key: str
    value: str
    label: str
    products: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    legend: str
    listed: list[Value]
    rest: list[Value]
    beyond: str | None
    rest_open: bool


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    height: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Prices:
    sign: str
    low: str
    high: str
    bars: list[Bar]
    from_: str
    to: str


def groups(state: PageState, facets: Sequence[FacetOf]) -> list[Group]:
    """Returns the values of each field that has any. Every chosen value is included, even if no product has it."""
    by_name = {facet.field: facet for facet in facets}
    found = (_group(state, name, by_name.get(name)) for name in FIELDS)
    return [group for group in found if group is not None]


def _group(state: PageState, name: str, facet: FacetOf | None) -> Group | None:
    counted = {one.value: one for one in facet.values if one.value is not None} if facet else {}
    chosen = state.chosen.get(name, ())
    values = [_value(name, value, one, chosen, facet) for value, one in counted.items()]
    values += [_value(name, value, None, chosen, facet) for value in chosen if value not in counted]
    if not values:
        return None
    cut = _LISTED if len(values) > _LISTED + 1 else len(values)
    others = next((one.products for one in facet.values if one.kind == "other"), 0) if facet else 0
    beyond = f"and {others:,} products with other values" if others else None
    rest_open = any(value.chosen for value in values[cut:])
    return Group(name, _LEGENDS[name], values[:cut], values[cut:], beyond, rest_open)


def _value(name: str, value: str, counted: FacetValue | None, chosen: Sequence[str], facet: FacetOf | None) -> Value:
    about = "" if facet is None or facet.exact else "about "
    key = f"{name}-{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:10]}"
    text = label(value) if name == "availability" else value
    return Value(key, value, text, f"{about}{counted.products:,}" if counted else "0", value in chosen)


def prices(state: PageState, facets: Sequence[FacetOf], currency: str | None) -> Prices | None:
    sign = SIGNS.get(currency or "", "")
    given = amount(state.price_min), amount(state.price_max)
    facet = next((facet for facet in facets if facet.field == PRICE_FIELD), None)
    values = facet.values if facet else []
    every = [one for one in values if one.kind == "range"]
    # Each range is (low, high, products). The first range has the most frequent currency. Ranges in other currencies
    # are dropped.
    ranges = [
        (one.low, one.low if one.high is None else one.high, one.products)
        for one in every
        if one.low is not None and one.currency == every[0].currency
    ]
    if not ranges:
        return Prices(sign, "", "", [], *given) if any(given) else None
    return Prices(sign, grouped(ranges[0][0]), grouped(ranges[-1][1]), _bars(state, ranges), *given)


def _bars(state: PageState, ranges: Sequence[tuple[float, float, int]]) -> list[Bar]:
    price_min = -math.inf if state.price_min is None else state.price_min
    price_max = math.inf if state.price_max is None else state.price_max
    most = max(products for _, _, products in ranges)
    return [
        Bar(
            x=n * _BAR_STEP,
            height=max(_MIN_BAR_HEIGHT, round(_BAR_HEIGHT * products / most)),
            chosen=low < price_max and high >= price_min,
        )
        for n, (low, high, products) in enumerate(ranges)
    ]


def the_currency(facets: Sequence[FacetOf]) -> str | None:
    """Returns the currency that all prices have, or None when there are several currencies or no price."""
    found = next((facet.values for facet in facets if facet.field == "currency"), [])
    values = [one.value for one in found if one.kind != "missing"]
    return values[0] if len(values) == 1 else None


def total(facets: Sequence[FacetOf]) -> int:
    """Returns the number of products that pass the filter."""
    return sum(one.products for facet in facets if facet.field == TOTAL_FIELD for one in facet.values)
