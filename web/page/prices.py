"""Builds the price filter: an axis, a histogram whose bars stand at their prices, and a slider over the same axis.

A position on the axis is log(1 + price / middle), scaled so that the lowest price has 0 and the highest AXIS. `middle`
is about the median price, and at least a hundredth of the highest price. So the axis is nearly linear below `middle`,
and expensive products do not push all others to its left end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from web.api.facet_schemas import FacetOf
from web.page.brand.languages import number, sign
from web.page.state import PageState, amount

PRICE_FIELD = "effective_price"  # the price at the time of the request
AXIS = 1000  # the axis has positions from 0 to AXIS; filters.js computes with the same formula
_HEIGHT, _MIN_HEIGHT, _GAP = 100, 3, 6  # in units of the viewBox of the histogram's SVG

Range = tuple[float, float, int]  # low, high, products


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    width: int
    height: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """`low` and `high` are the prices at the ends of the axis as texts, `low_price` and `high_price` as numbers.
    `from_` and `to` are the bounds that the visitor chose."""

    sign: str
    low: str
    high: str
    bars: list[Bar]
    from_: str
    to: str
    low_price: float = 0
    middle: float = 0
    high_price: float = 0
    half: str = ""  # the price in the middle of the axis, rounded to two significant digits
    start: int = 0  # the positions of the slider's two handles
    end: int = AXIS


def currency_of(state: PageState, facets: Sequence[FacetOf]) -> str | None:
    """Returns the currency of the prices: the chosen currency, or else the only currency of the products. Returns None
    if no currency is chosen and the products have several currencies or none."""
    chosen = state.chosen.get("currency", ())
    if chosen:
        return chosen[0] if len(chosen) == 1 else None
    found = next((facet.values for facet in facets if facet.field == "currency"), [])
    values = [one.value for one in found if one.kind != "missing"]
    return values[0] if len(values) == 1 else None


def prices(state: PageState, facets: Sequence[FacetOf], currency: str | None) -> Prices | None:
    """Returns the price filter. Prices in several currencies cannot be compared, so without a currency the filter has
    no axis. A filter without an axis is returned only if the visitor has chosen a bound."""
    signs = sign(currency)
    given = amount(state.price_min), amount(state.price_max)
    facet = next((facet for facet in facets if facet.field == PRICE_FIELD), None)
    ranges = [
        (one.low, one.low if one.high is None else one.high, one.products)
        for one in (facet.values if facet and currency else [])
        if one.kind == "range" and one.low is not None and one.currency == currency
    ]
    if not ranges:
        return Prices(signs, "", "", [], *given) if any(given) else None
    low, high = ranges[0][0], ranges[-1][1]
    axis = _Axis(low, max(ranges[len(ranges) // 2][0], high / 100, 0.01), high)
    return Prices(
        signs,
        number(low),
        number(high),
        _bars(state, ranges, axis),
        *given,
        low_price=low,
        middle=axis.middle,
        high_price=high,
        half=number(float(f"{axis.price(AXIS / 2):.2g}")),
        start=0 if state.price_min is None else axis.position(state.price_min),
        end=AXIS if state.price_max is None else axis.position(state.price_max),
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    middle: float
    high: float

    def position(self, price: float) -> int:
        first, last = math.log1p(self.low / self.middle), math.log1p(self.high / self.middle)
        share = (math.log1p(price / self.middle) - first) / (last - first) if last > first else 0
        return round(AXIS * min(1, max(0, share)))

    def price(self, position: float) -> float:
        first, last = math.log1p(self.low / self.middle), math.log1p(self.high / self.middle)
        return self.middle * math.expm1(first + position / AXIS * (last - first))


def _bars(state: PageState, ranges: Sequence[Range], axis: _Axis) -> list[Bar]:
    """Returns a bar for each range. The area of a bar, not its height, stands for the number of products, because the
    ranges have different widths."""
    price_min = -math.inf if state.price_min is None else state.price_min
    price_max = math.inf if state.price_max is None else state.price_max
    positions = [(axis.position(low), axis.position(high)) for low, high, _ in ranges]
    density = [products / max(1, end - start) for (start, end), (_, _, products) in zip(positions, ranges, strict=True)]
    most = max(density)
    return [
        Bar(
            x=start,
            width=max(_GAP, end - start - _GAP),
            height=max(_MIN_HEIGHT, round(_HEIGHT * each / most)),
            chosen=low <= price_max and (high > price_min or low >= price_min),
        )
        for (start, end), (low, high, _), each in zip(positions, ranges, density, strict=True)
    ]
