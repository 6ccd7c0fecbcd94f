"""Defines the state of the page, which is a visitor's search. Each state has an address, so a link can lead to it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from db.catalog.catalogs import DEFAULT
from db.functions.constants import MAX_INPUTS, MAX_TEXT
from db.images.messages import Box
from web.api.schemas import MAX_CATALOG, MAX_CURSOR
from web.http.addresses import address
from web.page.brand import visit
from web.page.brand.languages import gettext, group_separator, number
from web.page.images import box

# The fields that a visitor filters by a list of values.
FIELDS = ("product_type", "brand", "color", "size", "material", "availability", "currency")
UNLIKE_WEIGHT = -0.5
PAGE = 24  # products per page: fills whole rows of 2, 3, 4 or 6
MAX_SHOWN = 10 * PAGE  # an address shows at most this many products at once
# Maps a thousands separator to the pattern of the numbers that are written with it.
_THOUSANDS = {
    ",": re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?"),
    ".": re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]*)?"),
}
_LISTS = (*FIELDS, "like", "unlike")
_MAX_LENGTHS = {
    "q": MAX_TEXT,
    "picture": 64,
    "box": 60,
    "catalog": MAX_CATALOG,
    "after": MAX_CURSOR,
    "price_min": 20,
    "price_max": 20,
    "cut": 20,
    "correct": 5,
    "sort": 20,
    "shown": 5,
}
RELEVANT, EVERYTHING = "relevant", "none"  # values of the parameter `cut`
AS_TYPED = "no"  # value of the parameter `correct`
# Maps each value of the parameter `sort` to an order of shop.search and shop.browse.
SORTS = {"price_asc": "effective_price", "price_desc": "effective_price desc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """A visitor's search. `like` and `unlike` are SKUs, `image` is the name of an uploaded image, and `box` is the part
    of this image that is searched. `after` is the cursor of the last product of the previous page. With `after`,
    `shown` is the number of products up to this product, but at most MAX_SHOWN."""

    q: str = ""
    image: str = ""  # the parameter `picture` of an address
    box: Box | None = None  # None for the whole image
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    chosen: dict[str, tuple[str, ...]] = field(default_factory=dict)  # field -> the values that the visitor chose
    price_min: float | None = None
    price_max: float | None = None
    catalog: str = ""  # empty for the site's default catalog
    cut: str | None = RELEVANT
    correct: bool = True  # whether misspelt words are corrected
    sort: str = ""  # a key of SORTS; without it, a search puts the best product first
    after: str = ""
    shown: int = 0  # without `after`: products that the page shows from the first one on; 0 for one page
    remarks: tuple[str, ...] = ()  # messages about invalid parameters

    @property
    def is_search(self) -> bool:
        """Returns whether there is a text, image or example to search for. Otherwise the page only lists products."""
        return bool(self.q or self.image or self.like or self.unlike)

    @property
    def is_start(self) -> bool:
        """Returns whether this is the first page without a search, a filter or an order."""
        return not (self.is_search or self.active_filters or self.sort or self.after)

    @property
    def active_filters(self) -> int:
        has_price = self.price_min is not None or self.price_max is not None
        return sum(len(values) for values in self.chosen.values()) + has_price

    @property
    def filter(self) -> str | None:
        """Returns the filter as JSON, in the language of docs/filters.md."""
        price = {"gte": self.price_min, "lte": self.price_max}
        bounds = {operator: bound for operator, bound in price.items() if bound is not None}
        filter_: dict[str, Any] = {name: list(values) for name, values in self.chosen.items()}
        if bounds:
            filter_["effective_price"] = bounds
        return msgspec.json.encode(filter_).decode() if filter_ else None

    @property
    def inputs(self) -> str | None:
        """Returns the products of `like` and `unlike` as inputs of shop.search."""
        given: list[dict[str, Any]] = [{"sku": sku} for sku in self.like]
        given += [{"sku": sku, "weight": UNLIKE_WEIGHT} for sku in self.unlike]
        return msgspec.json.encode(given).decode() if given else None

    def but(self, **changes: Any) -> "PageState":
        """Returns this state with some changes. `after`, `shown` and `remarks` are reset if `changes` lacks them."""
        return replace(self, **{"after": "", "shown": 0, "remarks": (), **changes})

    def with_values(self, name: str, values: Iterable[str]) -> "PageState":
        chosen = {**self.chosen, name: tuple(values)}
        return self.but(chosen={name: chosen[name] for name in FIELDS if chosen.get(name)})

    def address(self, path: str = "/") -> str:
        pairs = [("q", self.q), ("picture", self.image), ("box", box.write(self.box) if self.image else "")]
        pairs += [("like", sku) for sku in self.like] + [("unlike", sku) for sku in self.unlike]
        pairs += [(name, value) for name in FIELDS for value in self.chosen.get(name, ())]
        pairs += [("price_min", amount(self.price_min)), ("price_max", amount(self.price_max))]
        pairs += [("catalog", self.catalog if self.catalog != DEFAULT else ""), ("after", self.after)]
        pairs += [("cut", "" if self.cut else EVERYTHING), ("correct", "" if self.correct else AS_TYPED)]
        pairs += [("sort", self.sort), ("shown", str(self.shown or "")), ("lang", visit.chosen_language())]
        given = [(name, value) for name, value in pairs if value]
        return address(f"{path}?{urlencode(given, quote_via=quote, errors='replace')}" if given else path)


def read(parameters: Iterable[tuple[str, str]]) -> PageState:
    """Returns the state of an address. An invalid value is dropped. A remark reports a value that is too long, and any
    other invalid value except those of `shown` and `correct`. An unknown parameter is ignored."""
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    single: dict[str, str] = {}
    remarks: list[str] = []
    for name, written in parameters:
        value = written.replace("\0", "").strip()
        if name in lists and value and value not in lists[name]:
            lists[name].append(value)
        elif name in _MAX_LENGTHS and len(value) > _MAX_LENGTHS[name]:
            text = gettext("The value of %(name)s is longer than %(count)s characters.")
            remarks.append(text % {"name": name, "count": number(_MAX_LENGTHS[name])})
        elif name in _MAX_LENGTHS:
            single[name] = value
    prices: dict[str, float | None] = {}
    for name in ("price_min", "price_max"):
        try:
            prices[name] = _price(single.get(name, ""))
        except ValueError:
            remarks.append(gettext("“%(text)s” is not a price.") % {"text": single[name]})
    part: Box | None = None
    try:
        part = box.read(single.get("box", ""))
    except ValueError:
        remarks.append(gettext("“%(text)s” is no part of an image.") % {"text": single["box"]})
    if single.get("cut", "") not in ("", RELEVANT, EVERYTHING):
        remarks.append(_not_offered("cut", single["cut"]))
    if single.get("sort", "") not in ("", *SORTS):
        remarks.append(_not_offered("sort", single["sort"]))
    if len(lists["like"]) + len(lists["unlike"]) > MAX_INPUTS:
        remarks.append(gettext("Only %(count)s products can be examples.") % {"count": number(MAX_INPUTS)})
        lists["like"] = lists["like"][:MAX_INPUTS]
        lists["unlike"] = lists["unlike"][: MAX_INPUTS - len(lists["like"])]
    read_ = PageState(
        q=single.get("q", ""),
        image=single.get("picture", ""),
        box=part if single.get("picture") else None,
        like=tuple(lists["like"]),
        unlike=tuple(sku for sku in lists["unlike"] if sku not in lists["like"]),
        chosen={name: tuple(lists[name]) for name in FIELDS if lists[name]},
        **prices,
        catalog=single.get("catalog", ""),
        cut=None if single.get("cut") == EVERYTHING else RELEVANT,
        correct=single.get("correct") != AS_TYPED,
        sort=single.get("sort", "") if single.get("sort") in SORTS else "",
        after=single.get("after", ""),
        shown=_shown(single.get("shown", "")),
        remarks=tuple(remarks),
    )
    # A sorted search shows only relevant products. Otherwise irrelevant products could come first, by their prices.
    return replace(read_, cut=RELEVANT) if read_.sort and read_.is_search else read_


def _shown(written: str) -> int:
    """Returns the number, rounded down to whole pages, at most MAX_SHOWN. Returns 0 for a text that is no number."""
    return min(int(written) // PAGE * PAGE, MAX_SHOWN) if written.isascii() and written.isdigit() else 0


def _not_offered(name: str, value: str) -> str:
    values = (RELEVANT, EVERYTHING) if name == "cut" else tuple(SORTS)
    text = gettext("“%(text)s” is no value of %(name)s; the values are %(values)s.")
    return text % {"text": value, "name": name, "values": ", ".join(values)}


def _price(written: str) -> float | None:
    """Parses a price. Raises ValueError for a text that is not a price."""
    if not written:
        return None
    written = re.sub(r"[\s'\u2019]", "", written)  # some languages separate thousands by a space or an apostrophe
    # Before groups of three digits, the separator of the visitor's language separates thousands, as in the prices on
    # the page. Any remaining comma is a decimal comma.
    thousands = group_separator()
    if thousands in _THOUSANDS and _THOUSANDS[thousands].fullmatch(written):
        written = written.replace(thousands, "")
    price = float(written.replace(",", "."))
    if not 0 <= price <= 1e10:  # NaN fails this comparison too
        raise ValueError(written)
    return price


def amount(price: float | None) -> str:
    """Returns a price with at most two decimals and no needless zeros, such as 20, 9.5 or 12.34."""
    return "" if price is None else f"{price:.2f}".rstrip("0").rstrip(".")
