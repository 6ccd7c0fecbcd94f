"""Reads the catalog of Meta's Commerce Manager (Facebook, Instagram, WhatsApp) as a table.

Most columns have the names of Google's feeds. Lists are spread over columns such as `product_tags[0]` and
`image[0].url`.
"""

import re
from collections.abc import Iterator
from typing import Any

from db.catalog.names import normalised
from db.catalog.plain_text import plain_text
from db.catalog.product import OFFER_COLUMNS, SALE_DATES, RawProduct
from db.catalog.rows.cells import image_paths
from db.catalog.rows.options import stock_sign
from loader.rejects import Reject
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.platform_table import Cells, PlatformTable, offer, product

NAMES = {
    "sku": ("id", "retailer_id"),
    "title": ("title", "name"),
    "description": ("description", "rich_text_description", "short_description"),
    "brand": ("brand",),
    "product_type": ("product_type", "google_product_category", "fb_product_category", "category"),
    "price": ("price",),
    "currency": ("currency",),
    "availability": ("availability",),
    "gtin": ("gtin",),
    "mpn": ("mpn", "manufacturer_part_number"),
    "item_group_id": ("item_group_id", "retailer_product_group_id"),
    "link": ("link", "url"),
    "color": ("color",),
    "size": ("size",),
    "material": ("material",),
    "condition": ("condition",),
    "image": ("image_link", "image_url"),
    "additional_image": ("additional_image_link", "additional_image_urls"),
    "status": ("status", "visibility"),
    "quantity": ("quantity_to_sell_on_facebook", "inventory"),
    "sale_price": ("sale_price",),
    "sale_starts_at": ("sale_price_start_date",),
    "sale_ends_at": ("sale_price_end_date",),
    SALE_DATES: ("sale_price_effective_date",),
}
SHOWN = {"status": "availability", SALE_DATES: "sale_starts_at, sale_ends_at"}
LIST = re.compile(r"(.+?)\[(\d+)\](?:\.(.+))?")
OWN = frozenset(("retailer_id", "fb_product_category", "quantity_to_sell_on_facebook", "rich_text_description"))
NOT_SOLD = frozenset(("archived", "hidden", "staging"))


def recognises(head: FileHead) -> bool:
    names = set(map(normalised, head.header))
    is_list = any(
        match and match[1] in ("product_tags", "image", "video", "style") for match in map(LIST.fullmatch, names)
    )
    return (
        bool({"id", "retailer_id"} & names) and {"title", "price"} <= names and (is_list or not OWN.isdisjoint(names))
    )


class MetaSource(PlatformTable):
    name = "meta"
    platform = "a Meta catalog"
    FIELDS = NAMES
    SHOWN = SHOWN
    needed = ("sku", "title")

    def target(self, name: str) -> str:
        match = LIST.fullmatch(name)
        if match is None:
            return super().target(name)
        if match[1] == "image" and match[3] == "url":
            return "image"
        return "attributes.keywords" if match[1] == "product_tags" else f"attributes.{match[1]}"

    def rows(self) -> Iterator[RawProduct | Reject]:
        for found in self.records():
            yield found if isinstance(found, Reject) else _row(*found)


def _row(line: int, cells: Cells) -> RawProduct:
    lists: dict[str, dict[int, dict[str, str]]] = {}
    for name in [name for name in cells if LIST.fullmatch(name)]:
        match = LIST.fullmatch(name)
        assert match
        lists.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3] or ""] = cells.pop(name)
    tags = [text for _, each in sorted(lists.pop("product_tags", {}).items()) for text in each.values()]
    images = [each.pop("url", "") for _, each in sorted(lists.get("image", {}).items())]
    availability = _availability(cells)
    cells.take(NAMES["availability"])
    # A number is the ID of a category, not a name.
    ids = {name: cells.pop(name) for name in NAMES["product_type"] if cells.get(name, "").isdecimal()}
    fields = {
        name: cells.take(NAMES[name])
        for name in NAMES
        if name not in ("image", "additional_image", "status", "availability", *OFFER_COLUMNS)
    } | offer(cells, NAMES)
    fields["availability"] = availability
    fields["description"] = plain_text(fields["description"])
    first, others = image_paths(cells.take(NAMES["image"])), image_paths(cells.take(NAMES["additional_image"]))
    attributes: dict[str, Any] = {**cells, **ids, "keywords": tags}
    for name, members in lists.items():
        values = [
            each.get("") or {key: text for key, text in each.items() if text} for _, each in sorted(members.items())
        ]
        attributes[name] = [value for value in values if value]
    return product(fields, [*first, *images, *others], attributes, line)


def _availability(cells: Cells) -> str:
    if cells.peek(NAMES["status"]).lower() in NOT_SOLD:
        return "out_of_stock"
    quantity = stock_sign(cells.peek(NAMES["quantity"]))
    written = cells.peek(NAMES["availability"])
    return written or ("" if quantity is None else "in_stock" if quantity > 0 else "out_of_stock")
