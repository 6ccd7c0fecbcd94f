"""Builds the lists of values beside the results, with the number of products of each value."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from web.api.facet_schemas import FacetOf, FacetValue
from web.page.brand.languages import gettext, marked, number
from web.page.formatting import label
from web.page.state import FIELDS, PageState
from web.page.swatches import swatch

# The counts of this facet add up to the number of products that pass the filters. A facet ignores only the filter on
# its own field, and the page has no filter on this field.
TOTAL_FIELD = "condition"
_LEGENDS = {
    "product_type": marked("Kind"),
    "brand": marked("Brand"),
    "color": marked("Colour"),
    "size": marked("Size"),
    "material": marked("Material"),
    "availability": marked("Availability"),
    "currency": marked("Currency"),
}
_LISTED = 8  # values of a facet that are visible before "more" is opened; "more" holds at least two values
SEARCHED = 10  # a list of more values has a search box


@dataclass(frozen=True, slots=True)
class Value:
    key: str
    value: str
    label: str
    products: str
    chosen: bool
    swatch: str | None  # how a colour looks, as #rrggbb


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    legend: str
    listed: list[Value]
    rest: list[Value]
    beyond: str | None
    rest_open: bool
    covered: float  # share of the counted products that have a value
    is_long: bool


def groups(state: PageState, facets: Sequence[FacetOf]) -> list[Group]:
    """Returns a group for each field that has a counted or a chosen value. A single currency has a group only if it is
    chosen. The groups are sorted by the rounded share of the counted products that have a value, the largest first."""
    by_name = {facet.field: facet for facet in facets}
    found = (_group(state, name, by_name.get(name)) for name in FIELDS)
    return sorted((group for group in found if group is not None), key=lambda group: -group.covered)


def _group(state: PageState, name: str, facet: FacetOf | None) -> Group | None:
    counted = {one.value: one for one in facet.values if one.value is not None} if facet else {}
    chosen = state.chosen.get(name, ())
    values = [_value(name, value, one, chosen, facet) for value, one in counted.items()]
    values += [_value(name, value, None, chosen, facet) for value in chosen if value not in counted]
    if not values or (name == "currency" and len(values) == 1 and not chosen):
        return None
    cut = _LISTED if len(values) > _LISTED + 1 else len(values)
    others = next((one.products for one in facet.values if one.kind == "other"), 0) if facet else 0
    beyond = gettext("and %(count)s products with other values") % {"count": number(others)} if others else None
    rest_open = any(value.chosen for value in values[cut:])
    every = sum(one.products for one in facet.values) if facet else 0
    missing = sum(one.products for one in facet.values if one.kind == "missing") if facet else 0
    covered = round(1 - missing / every, 1) if every else 0  # rounded, so that a few products change no order
    is_long = len(values) > SEARCHED
    return Group(name, gettext(_LEGENDS[name]), values[:cut], values[cut:], beyond, rest_open, covered, is_long)


def _value(name: str, value: str, counted: FacetValue | None, chosen: Sequence[str], facet: FacetOf | None) -> Value:
    products = number(counted.products if counted else 0)
    if counted and facet and not facet.exact:
        products = gettext("about %(count)s") % {"count": products}
    key = f"{name}-{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:10]}"
    text = label(value) if name == "availability" else value
    colour = swatch(value) if name == "color" else None
    return Value(key, value, text, products, value in chosen, colour)


def total(facets: Sequence[FacetOf]) -> int:
    """Returns the number of products that pass the filter: the sum of the counts of TOTAL_FIELD."""
    return sum(one.products for facet in facets if facet.field == TOTAL_FIELD for one in facet.values)
