"""Reads Medusa's product export, of version 1 or 2. Each row is a variant, and repeats the cells of its product."""

import re
from collections.abc import Iterator
from typing import Any

from db.catalog.names import normalised
from db.catalog.plain_text import plain_text
from db.catalog.product import RawProduct
from db.catalog.rows.cells import without_name, words
from db.catalog.rows.options import is_true, stock_sign
from loader.rejects import Reject
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.platform_table import Cells, PlatformTable, offer, product, set_options
from loader.sources.reading.stored_rows import StoredRows

NAMES = {
    "sku": ("variant_sku",),
    "title": ("product_title",),
    "description": ("product_description", "product_subtitle"),
    "product_type": ("product_type", "product_category_1"),
    "gtin": ("variant_ean", "variant_upc", "variant_barcode"),
    "material": ("product_material", "variant_material"),
    "image": ("product_thumbnail",),
    "handle": ("product_handle",),
    "product": ("product_id",),
    "status": ("product_status",),
    "keywords": ("product_tags",),
    "quantity": ("variant_inventory_quantity",),
    "manage": ("variant_manage_inventory",),
    "backorder": ("variant_allow_backorder",),
}
SHOWN = {
    "handle": "item_group_id",
    "product": "item_group_id",
    "keywords": "attributes.keywords",
    **dict.fromkeys(("status", "manage", "backorder"), "availability"),
}
PRICE = re.compile(r"(?:variant_)?price_(?:.*\[)?([a-z]{3})\]?")
IMAGE = re.compile(r"(?:product_)?image_(\d+)(?:_url)?")
TAG = re.compile(r"(?:product_)?tag_\d+")
ID = re.compile(r"(pcat|ptyp)_[0-9A-Za-z]+$")
CATEGORY = re.compile(r"product_category_\d+")
OPTION = re.compile(r"(?:variant_)?option_(\d+)_(name|value)")


def recognises(head: FileHead) -> bool:
    names = set(map(normalised, head.header))
    return {"product_handle", "product_title"} <= names and any(name.startswith("variant_") for name in names)


class MedusaSource(PlatformTable):
    name = "medusa"
    platform = "a Medusa export"
    FIELDS = NAMES
    SHOWN = SHOWN

    def target(self, name: str) -> str:
        for pattern, field in (
            (PRICE, "price, currency"),
            (IMAGE, "image"),
            (TAG, "attributes.keywords"),
            (OPTION, "color, size, material, attributes"),
            (CATEGORY, "product_type"),
        ):
            if pattern.fullmatch(name):
                return field
        return super().target(name)

    def rows(self) -> Iterator[RawProduct | Reject]:
        with StoredRows() as stored:
            for found in self.records():
                if isinstance(found, Reject):
                    yield found
                else:
                    line, cells = found
                    stored.add(line, cells, handle=_group(cells), sku=cells.peek(NAMES["sku"]))
            for line, cells in stored:
                several = stored.count("handle", _group(cells)) > 1
                yield _row(line, cells, several, is_shared=stored.count("sku", cells.peek(NAMES["sku"])) > 1)


def _group(cells: Cells) -> str:
    return cells.peek(NAMES["handle"]) or cells.peek(NAMES["product"])


def _row(line: int, cells: Cells, several: bool, *, is_shared: bool) -> RawProduct:
    group, availability = _group(cells), _availability(cells)
    options: dict[str, list[str]] = {}
    for name in [name for name in cells if (match := OPTION.fullmatch(name)) and match[2] == "name"]:
        label, value = cells.pop(name), cells.pop(name.removesuffix("name") + "value", "")
        options[label] = [value] if value else []
    shown = " / ".join(value for values in options.values() for value in values)
    price, currency = _price(cells)
    title = cells.take(NAMES["title"])
    sku = "" if is_shared else cells.take(NAMES["sku"])
    tags = [tag for name in [name for name in cells if TAG.fullmatch(name)] for tag in words(cells.pop(name))]
    tags = [*words(cells.take(NAMES["keywords"])), *tags]
    kinds = [cells.pop(name) for name in sorted(filter(CATEGORY.fullmatch, cells))]
    ids = [kind for kind in kinds if ID.match(kind)]  # some versions of Medusa write IDs of categories, not names
    kinds = [kind for kind in kinds if kind not in ids]
    fields = {
        "sku": sku
        or cells.get("variant_id", "")
        or "/".join((group, *(v for values in options.values() for v in values))),
        "title": f"{title} - {shown}" if several and shown else title,
        "description": plain_text(cells.take(NAMES["description"])),
        "product_type": cells.take(NAMES["product_type"]) or (kinds[0] if kinds else ""),
        "price": price,
        "currency": currency,
        "gtin": cells.take(NAMES["gtin"]),
        "material": cells.take(NAMES["material"]),
        "item_group_id": group if several else "",
        "availability": availability,
        **offer(cells, NAMES),
    }
    images = {int(match[1]): name for name in cells if (match := IMAGE.fullmatch(name))}
    paths = [cells.take(NAMES["image"]), *(cells.pop(images[place]) for place in sorted(images))]
    attributes: dict[str, Any] = {**cells, "keywords": tags, "product_types": kinds, "category_ids": ids}
    set_options(fields, attributes, options)
    row = product(fields, paths, attributes, line)
    if ids:
        row.faults = [("product_type", without_name(ids))]
    return row


def _price(cells: Cells) -> tuple[str, str]:
    """Removes and returns the first price, with its currency. All other prices become attributes."""
    for name in cells:
        if match := PRICE.fullmatch(name):
            return cells.pop(name), match[1].upper()
    return "", ""


def _availability(cells: Cells) -> str:
    if cells.peek(NAMES["status"]).lower() not in ("", "published"):
        return "out_of_stock"
    quantity = stock_sign(cells.peek(NAMES["quantity"]))
    managed = cells.peek(NAMES["manage"])
    if quantity is not None and quantity <= 0 and (not managed or is_true(managed)):
        return "backorder" if is_true(cells.peek(NAMES["backorder"])) else "out_of_stock"
    return "in_stock"
