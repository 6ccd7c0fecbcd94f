"""Combines the rows of a product in Magento 1's export.

The first row of a product has its SKU. The rows below it have an empty SKU. They hold further categories, images,
links, prices, options and websites of the product, and further values of attributes with several choices. A row with a
`_store` also holds the texts of a store view.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from loader.rejects import Reject
from loader.sources.reading.platform_table import Cells

SIGNS = frozenset(("_type", "_attribute_set", "_store", "_product_websites", "_media_image", "_super_products_sku"))
CATEGORIES, WEBSITES, MORE = "_category", "_product_websites", "_more"
# Columns whose names begin with the same text of this list belong together. In each row, such columns hold one link,
# price, image or option.
GROUPS = (
    "_links_related_", "_links_crosssell_", "_links_upsell_", "_associated_", "_tier_price_", "_group_price_",
    "_custom_option_", "_media_", "_super_",
)  # fmt: skip
EVERYBODY = ("all", "0", "not logged in")  # customer groups
AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,20})?")
Found = tuple[int, Cells] | Reject


def is_magento_1(names: set[str]) -> bool:
    return bool(SIGNS & names)


def group_of(name: str) -> str:
    """Returns the name of the attribute that gathers the cells of a column in a list, or "" if no attribute does."""
    if name == WEBSITES:
        return name.strip("_")
    return next((group.strip("_") for group in GROUPS if name.startswith(group)), "")


def combined(records: Iterator[Found]) -> Iterator[Found]:
    """Yields a row for each product and for each store view. The cell `_more` has the lists that were gathered from
    several rows, as JSON."""
    product: _Product | None = None
    for found in records:
        if isinstance(found, Reject):
            if product is not None:
                yield from product.rows()
            product = None  # the rejected row may begin another product, to which the rows below it belong
            yield found
        elif found[1].get("sku"):
            if product is not None:
                yield from product.rows()
            product = _Product(*found)
        elif product is None:
            yield Reject(found[0], "", "the row has no SKU, and there is no product to which it belongs")
        else:
            product.add(*found)
    if product is not None:
        yield from product.rows()


def more_of(cells: Cells, of_all: Cells) -> dict[str, Any]:
    """Removes the cell `_more` from the cells, and returns its lists. If a variant lacks a list, it inherits the list
    of its product."""
    own, inherited = (json.loads(each.pop(MORE, "{}")) for each in (cells, of_all))
    return {**inherited, **own}


class _Product:
    def __init__(self, line: int, cells: Cells) -> None:
        self._line = line
        self._cells = cells
        self._sku = cells["sku"]
        self._views: list[tuple[int, Cells]] = []
        self._lists: dict[str, list[Any]] = {}  # the members of GROUPS, categories and websites
        self._values: dict[str, list[str]] = {}  # the values of attributes with several choices
        self._take_lists(cells)

    def add(self, line: int, cells: Cells) -> None:
        self._take_lists(cells)
        if cells.get("_store"):
            self._views.append((line, Cells({**cells, "sku": self._sku})))
            return
        for name, cell in cells.items():
            first = [self._cells[name]] if name in self._cells else []
            self._values.setdefault(name, first).append(cell)

    def rows(self) -> Iterator[tuple[int, Cells]]:
        cells = self._cells
        lists = dict(self._lists)
        cells[CATEGORIES] = "".join(f"{category}\n" for category in lists.pop(CATEGORIES, ()))
        images = [
            each["image"] for each in lists.get("media", ()) if each.get("image") and each.get("is_disabled") != "1"
        ]
        cells["additional_images"] = ",".join(filter(None, (cells.get("additional_images"), *images)))
        cells["configurable_variations"] = _variations(lists.get("super", []))
        self._take_tier_prices(lists)
        for name, values in self._values.items():
            cells.pop(name, None)
            lists[name] = values
        if lists:
            cells[MORE] = json.dumps(lists)
        yield self._line, Cells({name: cell for name, cell in cells.items() if cell})
        yield from self._views

    def _take_tier_prices(self, lists: dict[str, list[Any]]) -> None:
        """Sets an empty special price to the lowest tier price that everybody pays for a single piece, if this tier
        price is below the price. Tier prices of a group of customers become group prices, which are private."""
        tiers = lists.pop("tier_price", [])
        own = [tier for tier in tiers if tier.get("customer_group", "all").lower() in EVERYBODY]
        lists["group_price"] = [*lists.get("group_price", ()), *(tier for tier in tiers if tier not in own)]
        single = [
            tier
            for tier in own
            if re.fullmatch(r"0*1(\.0*)?", tier.get("qty", "")) and tier.get("website", "all") == "all"
        ]
        prices = [Decimal(tier["price"]) for tier in single if AMOUNT.fullmatch(tier.get("price", ""))]
        price = self._cells.get("price", "")
        if prices and AMOUNT.fullmatch(price) and min(prices) < Decimal(price) and "special_price" not in self._cells:
            self._cells["special_price"] = str(min(prices))
            own = [tier for tier in own if tier not in single]
        lists["tier_price"] = own
        for name in ("group_price", "tier_price"):
            if not lists[name]:
                del lists[name]

    def _take_lists(self, cells: Cells) -> None:
        for name in (CATEGORIES, WEBSITES):
            if cell := cells.pop(name, ""):
                self._lists.setdefault(name if name == CATEGORIES else "product_websites", []).append(cell)
        for group in GROUPS:
            if member := {name.removeprefix(group): cells.pop(name) for name in [*cells] if name.startswith(group)}:
                self._lists.setdefault(group.strip("_"), []).append(member)


def _variations(members: list[dict[str, str]]) -> str:
    """Returns the variants of a configurable product in the notation of Magento 2. Each member has one option of a
    variant."""
    variants: dict[str, dict[str, str]] = {}
    for member in members:
        if sku := member.get("products_sku", ""):
            options = variants.setdefault(sku, {})
            if code := member.get("attribute_code", ""):
                options[code] = member.get("attribute_option", "")
    return "|".join(
        ",".join(f"{name}={_quoted(value)}" for name, value in {"sku": sku, **options}.items())
        for sku, options in variants.items()
    )


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
