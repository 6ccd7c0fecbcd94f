"""What a visitor of the page looks for, as the address says it: every state of the page is a link."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

FIELDS = ("product_type", "brand", "color", "availability")  # chosen from a list of values; the price has two ends
MOST_EXAMPLES = 20  # as many inputs as shop.search takes
LESS = -0.5
_LISTS = (*FIELDS, "like", "unlike")
_LONGEST = {"q": 10_000, "picture": 64, "catalog": 63, "after": 200, "price_min": 20, "price_max": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """`like` and `unlike` are SKUs, `picture` names one that was uploaded, `after` the cursor of the page before."""

    q: str = ""
    picture: str = ""
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    chosen: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of FIELDS, only those that narrow
    price_min: float | None = None
    price_max: float | None = None
    catalog: str = "main"
    after: str = ""
    remarks: tuple[str, ...] = ()  # about what could not be understood

    @property
    def asks(self) -> bool:
        """Is anything looked for? Otherwise products are shown as they come."""
        return bool(self.q or self.picture or self.like or self.unlike)

    @property
    def filter(self) -> str | None:
        """In the language of docs/filters.md."""
        price = {"gte": self.price_min, "lte": self.price_max}
        bounds = {operator: bound for operator, bound in price.items() if bound is not None}
        filter_: dict[str, Any] = {name: list(values) for name, values in self.chosen.items()}
        if bounds:
            filter_["price"] = bounds
        return msgspec.json.encode(filter_).decode() if filter_ else None

    @property
    def inputs(self) -> str | None:
        """The products that the results should be like, and those they should not."""
        given: list[dict[str, Any]] = [{"sku": sku} for sku in self.like]
        given += [{"sku": sku, "weight": LESS} for sku in self.unlike]
        return msgspec.json.encode(given).decode() if given else None

    def but(self, **changes: Any) -> "PageState":
        """The same with something else; the first page of it, unless told otherwise."""
        return replace(self, **{"after": "", "remarks": (), **changes})

    def with_values(self, name: str, values: Iterable[str]) -> "PageState":
        chosen = {**self.chosen, name: tuple(values)}
        return self.but(chosen={name: chosen[name] for name in FIELDS if chosen.get(name)})

    def address(self) -> str:
        pairs = [("q", self.q), ("picture", self.picture)]
        pairs += [("like", sku) for sku in self.like] + [("unlike", sku) for sku in self.unlike]
        pairs += [(name, value) for name in FIELDS for value in self.chosen.get(name, ())]
        pairs += [("price_min", amount(self.price_min)), ("price_max", amount(self.price_max))]
        pairs += [("catalog", self.catalog if self.catalog != "main" else ""), ("after", self.after)]
        given = [(name, value) for name, value in pairs if value]
        return "/?" + urlencode(given, quote_via=quote, errors="replace") if given else "/"


def read(parameters: Iterable[tuple[str, str]]) -> PageState:
    """From an address's parameters, whatever they are: what cannot be meant is left out, and `remarks` say so. Those it
    does not know are none of its business."""
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    single: dict[str, str] = {}
    remarks: list[str] = []
    for name, written in parameters:
        value = written.replace("\0", "").strip()
        if name in lists and value and value not in lists[name]:
            lists[name].append(value)
        elif name in _LONGEST and len(value) > _LONGEST[name]:
            remarks.append(f"What was given as {name} is longer than {_LONGEST[name]:,} characters.")
        elif name in _LONGEST:
            single[name] = value
    prices: dict[str, float | None] = {}
    for name in ("price_min", "price_max"):
        try:
            prices[name] = _price(single.get(name, ""))
        except ValueError:
            remarks.append(f"“{single[name]}” is not a price.")
    if len(lists["like"]) + len(lists["unlike"]) > MOST_EXAMPLES:
        remarks.append(f"Only {MOST_EXAMPLES} products can be examples.")
        lists["like"] = lists["like"][:MOST_EXAMPLES]
        lists["unlike"] = lists["unlike"][: MOST_EXAMPLES - len(lists["like"])]
    return PageState(
        q=single.get("q", ""),
        picture=single.get("picture", ""),
        like=tuple(lists["like"]),
        unlike=tuple(sku for sku in lists["unlike"] if sku not in lists["like"]),
        chosen={name: tuple(lists[name]) for name in FIELDS if lists[name]},
        **prices,
        catalog=single.get("catalog") or "main",
        after=single.get("after", ""),
        remarks=tuple(remarks),
    )


def _price(written: str) -> float | None:
    """Raises ValueError."""
    if not written:
        return None
    price = float(written.replace(",", "."))
    if not 0 <= price <= 1e10:  # NaN is not either
        raise ValueError(written)
    return price


def amount(price: float | None) -> str:
    """As short as it can be written: 20, 9.5, 12.34."""
    return "" if price is None else f"{price:.2f}".rstrip("0").rstrip(".")
