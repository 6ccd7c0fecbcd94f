"""What the search page shows: products, filters and counts in a visitor's words. Templates only lay it out."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from db.search.ranking import BrowseItem, SearchHit
from web.api.schemas import FacetOf, FacetValue
from web.api.search import picture
from web.http.problems import Problem
from web.page.state import FIELDS, PageState, amount

NAMES = {"product_type": "Kind", "brand": "Brand", "color": "Colour", "availability": "Availability"}
LISTED = 8  # values of a facet that are seen at once
AT_ONCE = 8  # pictures that are fetched before the visitor comes to them
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
_SORRY = {
    "not-found": "This is not here any more.",
    "cursor-outdated": "These pages have changed meanwhile.",
    "too-large": "This is too large.",
    "invalid": "This cannot be searched for.",
    "rate": "That was a lot at once.",
    "overloaded": "Many people are searching at the moment.",
    "encoder-unavailable": "Pictures cannot be understood at the moment.",
    "database-unavailable": "The shop cannot be reached at the moment.",
    "timeout": "This took too long.",
}
_PASSING = ("rate", "overloaded", "encoder-unavailable", "database-unavailable", "timeout", "internal")
_BAR_AREA = 100  # height of the histogram, and the width of a bar with its gap is a tenth of it


@dataclass(frozen=True, slots=True)
class Reason:
    """What one leg of the search had to say about a product; `share` is its part of the score, in percent."""

    leg: str
    words: str
    share: int


@dataclass(frozen=True, slots=True)
class Card:
    title: str
    brand: str | None
    price: str | None
    remark: str | None
    picture: str | None
    scales: bool  # can the picture be had in other sizes?
    link: str | None
    at_once: bool
    why: list[Reason]
    more: str
    less: str | None


@dataclass(frozen=True, slots=True)
class Sorry:
    """A problem in a visitor's words, and what to do."""

    title: str
    advice: str
    button: str


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that narrows or directs the search, and the address without it."""

    label: str
    without: str
    kind: str  # filter, like, unlike, picture
    picture: str | None = None


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


def cards(state: PageState, rows: Sequence[SearchHit | BrowseItem]) -> list[Card]:
    reasons = _reasons([row for row in rows if isinstance(row, SearchHit)])
    directed = bool(state.q or state.picture or state.like)  # what there is nothing like cannot be less like either
    return [_card(state, row, n < AT_ONCE, reasons, directed) for n, row in enumerate(rows)]


def _card(
    state: PageState,
    row: SearchHit | BrowseItem,
    at_once: bool,
    reasons: Callable[[SearchHit], list[Reason]],
    directed: bool,
) -> Card:
    like = (*(sku for sku in state.like if sku != row.sku), row.sku)
    unlike = tuple(sku for sku in state.unlike if sku != row.sku)
    shown = _picture(row)
    return Card(
        title=row.title,
        brand=row.brand,
        price=money(row.price, row.currency),
        remark=None if row.availability in (None, "in_stock") else worded(row.availability),
        picture=shown,
        scales=bool(shown and shown.startswith("/")),
        link=row.link if row.link and row.link.startswith(("http://", "https://")) else None,
        at_once=at_once,
        why=reasons(row) if isinstance(row, SearchHit) else [],
        more=state.but(like=like, unlike=unlike).address(),
        less=state.but(unlike=(*unlike, row.sku)).address() if directed else None,
    )


def _picture(row: SearchHit | BrowseItem) -> str | None:
    """Its address, when it is one that the page may load: from here, or by https."""
    found = picture(row.product_id.hex, row.image_uri, row.image_position, row.image_link)
    return found.url if found and found.url.startswith(("/", "https://")) else None


def _reasons(rows: Sequence[SearchHit]) -> Callable[[SearchHit], list[Reason]]:
    """Of legs that found none of the rows nothing is said: they were not run."""
    legs = [leg for leg in ("image", "title", "keyword") if any(getattr(row, f"{leg}_rank") for row in rows)]

    def reasons(row: SearchHit) -> list[Reason]:
        total = sum(getattr(row, f"{leg}_contribution") or 0 for leg in legs) or 1
        return [_reason(row, leg, total) for leg in legs]

    return reasons


def _reason(row: SearchHit, leg: str, total: float) -> Reason:
    name, found, missed = {
        "image": ("Picture", "nearest picture", "not among the nearest pictures"),
        "title": ("Title", "nearest title", "not among the nearest titles"),
        "keyword": ("Words", "best match of your words", "none of your words are in it"),
    }[leg]
    rank = getattr(row, f"{leg}_rank")
    if rank is None:
        return Reason(name, _begun(missed), 0)
    measure = (
        f"score {row.keyword_score:.2f}" if leg == "keyword" else f"distance {getattr(row, f'{leg}_distance'):.3f}"
    )
    which = found if rank == 1 else f"{ordinal(rank)} {found}"
    share = round(100 * (getattr(row, f"{leg}_contribution") or 0) / total)
    return Reason(name, f"{_begun(which)}, {measure}", share)


def chips(state: PageState, examples: Mapping[str, BrowseItem], currency: str | None) -> list[Chip]:
    found = (
        [Chip("Your picture", state.but(picture="").address(), "picture", f"/picture/{state.picture}")]
        if state.picture
        else []
    )
    for kind in ("like", "unlike"):
        skus: tuple[str, ...] = getattr(state, kind)
        for sku in skus:
            product = examples.get(sku)
            without = state.but(**{kind: tuple(other for other in skus if other != sku)}).address()
            shown = _picture(product) if product else None
            small = f"{shown}&size=64" if shown and shown.startswith("/") else shown
            found.append(Chip(product.title if product else sku, without, kind, small))
    for name in FIELDS:
        values = state.chosen.get(name, ())
        for value in values:
            without = state.with_values(name, (other for other in values if other != value)).address()
            found.append(Chip(worded(value) if name == "availability" else value, without, "filter"))
    if state.price_min is not None or state.price_max is not None:
        sign = _SIGNS.get(currency or "", "")
        low, high = (
            bound if bound is None else f"{sign}{amount(bound)}" for bound in (state.price_min, state.price_max)
        )
        label = f"{low} to {high}" if low and high else f"From {low}" if low else f"Up to {high}"
        found.append(Chip(label, state.but(price_min=None, price_max=None).address(), "filter"))
    return found


def groups(state: PageState, facets: Sequence[FacetOf]) -> list[Group]:
    """Lists of values to choose from; what is chosen is among them, whatever was counted."""
    by_name = {facet.field: facet for facet in facets}
    found = []
    for name in FIELDS:
        facet = by_name.get(name)
        counted = {one.value: one for one in facet.values if one.value is not None} if facet else {}
        chosen = state.chosen.get(name, ())
        values = [_value(name, value, one, chosen, facet) for value, one in counted.items()]
        values += [_value(name, value, None, chosen, facet) for value in chosen if value not in counted]
        if not values:
            continue
        cut = LISTED if len(values) > LISTED + 1 else len(values)
        others = next((one.products for one in facet.values if one.kind == "other"), 0) if facet else 0
        beyond = f"and {others:,} products of other values" if others else None
        open_ = any(value.chosen for value in values[cut:])
        found.append(Group(name, NAMES[name], values[:cut], values[cut:], beyond, open_))
    return found


def _value(name: str, value: str, counted: FacetValue | None, chosen: Sequence[str], facet: FacetOf | None) -> Value:
    about = "" if facet is None or facet.exact else "about "
    key = f"{name}-{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:10]}"
    label = worded(value) if name == "availability" else value
    return Value(key, value, label, f"{about}{counted.products:,}" if counted else "0", value in chosen)


def prices(state: PageState, facets: Sequence[FacetOf], currency: str | None) -> Prices | None:
    found = next((facet for facet in facets if facet.field == "price"), None)
    ranges = [one for one in found.values if one.kind == "range" and one.low is not None] if found else []
    given = amount(state.price_min), amount(state.price_max)
    if not ranges:
        return Prices(_SIGNS.get(currency or "", ""), "", "", [], *given) if any(given) else None
    most = max(one.products for one in ranges)
    low, high = (
        (-math.inf if state.price_min is None else state.price_min),
        (math.inf if state.price_max is None else state.price_max),
    )
    bars = [
        Bar(n * 10, max(3, round(_BAR_AREA * one.products / most)), one.low < high and (one.high or one.low) >= low)  # type: ignore[operator]
        for n, one in enumerate(ranges)
    ]
    least, greatest = ranges[0].low or 0, ranges[-1].high or ranges[-1].low or 0
    return Prices(_SIGNS.get(currency or "", ""), f"{least:g}", f"{greatest:g}", bars, *given)


def the_currency(facets: Sequence[FacetOf]) -> str | None:
    """What all prices are in; None when there are several."""
    found = next((facet.values for facet in facets if facet.field == "currency"), [])
    values = [one.value for one in found if one.kind != "missing"]
    return values[0] if len(values) == 1 else None


def counted(facets: Sequence[FacetOf]) -> int:
    """Products that pass the filter: those of a field that no visitor chooses by add up to it."""
    return sum(one.products for facet in facets if facet.field == "currency" for one in facet.values)


def money(price: Decimal | None, currency: str | None) -> str | None:
    if price is None:
        return None
    written = f"{price:,.0f}" if price == price.to_integral() else f"{price:,.2f}"
    sign = _SIGNS.get(currency or "")
    return f"{sign}{written}" if sign else f"{written} {currency or ''}".strip()


def worded(code: str) -> str:
    """in_stock as people write it."""
    return _begun(code.replace("_", " "))


def _begun(said: str) -> str:
    return said[:1].upper() + said[1:]


def sorry(problem: Problem) -> Sorry:
    kind = problem.type.rpartition(":")[2]
    if kind in _PASSING:
        advice = "Wait a minute, then go on." if kind == "rate" else "Please try again in a moment."
        return Sorry(_SORRY.get(kind, "Something went wrong here."), advice, "Try again")
    told = " ".join(_begun(said).rstrip(".") + "." for said in (problem.detail, problem.hint) if said)
    return Sorry(_SORRY.get(kind, "This did not work."), told, "Begin again")


def ordinal(rank: int) -> str:
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank:,}{ending}"
