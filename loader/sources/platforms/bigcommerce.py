"""Reads BigCommerce's product export, of version 2 or 3.

In version 2, the column Item Type has Product, SKU or Rule. In version 3, the column Item has Product, Variant or
Image. The rows after the row of a product belong to that product. Each SKU or variant is loaded as a product, and so is
a product without SKUs and variants.
"""

import re
from collections.abc import Iterator
from typing import Any

from db.catalog.names import normalised
from db.catalog.plain_text import plain_text
from db.catalog.product import RawProduct
from db.catalog.rows.cells import without_name, words
from db.catalog.rows.options import is_false, stock_sign, whole_number
from db.strict_json import parse
from loader.rejects import Reject
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.platform_table import (
    Cells,
    PlatformTable,
    offer,
    parent_attributes,
    price_in_cents,
    product,
    set_options,
)

NAMES = {
    "item": ("item_type", "item"),
    "sku": ("product_code/sku", "product_sku", "sku"),
    "id": ("product_id", "id"),
    "title": ("product_name", "name"),
    "description": ("product_description", "description"),
    "brand": ("brand_name", "brand"),
    "product_type": ("category", "categories", "category_string", "category_details"),
    "price": ("price", "default_price"),
    "sale_price": ("sale_price",),
    "compare_at_price": ("retail_price",),
    "gtin": ("gps_global_trade_item_number", "global_trade_number", "gtin", "product_upc/ean", "upc/ean"),
    "mpn": ("gps_manufacturer_part_number", "manufacturer_part_number"),
    "link": ("product_url", "url"),
    "condition": ("product_condition", "condition"),
    "variant_image": ("variant_image_url",),
    "keywords": ("search_keywords",),
    "options": ("options",),
    "visible": ("product_visible?", "is_visible"),
    "purchases": ("allow_purchases?", "allow_purchases"),
    "availability": ("product_availability", "availability"),
    "track": ("track_inventory", "inventory_tracking"),
    "quantity": ("current_stock_level", "current_stock", "stock_level"),
    "fields": ("product_custom_fields", "custom_fields"),
}
SHOWN = {
    "item": "item_group_id",
    "id": "attributes.product_id",
    "variant_image": "image",
    "keywords": "attributes.keywords",
    "options": "color, size, material, attributes",
    "fields": "color, size, material, attributes",
    **dict.fromkeys(("visible", "purchases", "track"), "availability"),
}
IMAGE = re.compile(
    r"(?:product_image_(?P<part>file|url|id|description|is_thumbnail|sort)(?:_-)?_(?P<number>\d+)"
    r"|(?:product_)?(?P<alone>image_url_\(import\)|internal_image_url_\(export\)|image_file|image_url"
    r"|image_description|image_is_thumbnail|image_sort_order))"
)
CONTROL = re.compile(r"\[[A-Z]+\]")  # "[RB]" in "[RB]Color=Red" is the control that the shop shows for the option
CUSTOM_FIELD = re.compile(r'"([^"=]+)=([^"]*)"|([^;\n="]+)=([^;\n]*)')
# The SKUs of a product do not inherit these cells of the product. The cells become attributes such as `parent_gtin`.
KEPT_OF_PRODUCT = (
    "gps_global_trade_item_number", "global_trade_number", "gtin", "product_upc/ean", "upc/ean", "current_stock_level",
    "current_stock", "stock_level", "low_stock_level", "low_stock", "options", "bin_picking_number",
    "gps_manufacturer_part_number", "manufacturer_part_number",
)  # fmt: skip
OF_EACH_SKU = frozenset((
    *KEPT_OF_PRODUCT, "item_type", "item", "product_id", "id", "product_name", "name", "product_code/sku",
    "product_sku", "sku", "variant_image_url",
))  # fmt: skip


def recognises(head: FileHead) -> bool:
    names = set(map(normalised, head.header))
    is_second = "item_type" in names and bool(names.intersection(("product_name", "product_code/sku")))
    is_third = {"item", "name", "sku"} <= names and bool(
        names.intersection(("options", "inventory_tracking", "is_visible"))
    )
    return is_second or is_third


class BigCommerceSource(PlatformTable):
    name = "bigcommerce"
    platform = "a BigCommerce export"
    FIELDS = NAMES
    SHOWN = SHOWN

    def target(self, name: str) -> str:
        return "image" if IMAGE.fullmatch(name) else super().target(name)

    def rows(self) -> Iterator[RawProduct | Reject]:
        block: list[tuple[int, Cells]] = []
        for found in self.records():
            if isinstance(found, Reject):
                yield found
                continue
            if _kind(found[1]) == "product":
                yield from _products(block)
                block = []
            block.append(found)
        yield from _products(block)


def _kind(cells: Cells) -> str:
    return cells.peek(NAMES["item"]).lower() or "product"


def _products(block: list[tuple[int, Cells]]) -> Iterator[RawProduct | Reject]:
    if not block:
        return
    parent = block[0][1]
    if _kind(parent) != "product":
        for number, cells in block:
            yield Reject(number, cells.peek(NAMES["sku"]), f"the {_kind(cells)} has no product before it")
        return
    images = _images(parent)
    rules: list[dict[str, str]] = []
    variants: list[tuple[int, Cells]] = []
    for number, cells in block[1:]:
        kind = _kind(cells)
        if kind in ("sku", "variant"):
            variants.append((number, cells))
        elif kind == "image":
            images += _images(cells)
        else:
            rules.append(dict(cells))
    for number, cells in variants or block[:1]:
        yield _row(number, cells, parent if variants else None, images, rules)


def _row(
    line: int, cells: Cells, parent: Cells | None, images: list[tuple[str, str]], rules: list[dict[str, str]]
) -> RawProduct:
    """Returns the product in `cells`, which is a variant of the product `parent` if `parent` is given."""
    of_all = parent or Cells()
    availability = _availability(cells, of_all)
    options = _options(cells.take(NAMES["options"]))
    if parent is not None and (named := _named_options(cells.peek(NAMES["title"]))):
        options |= named
        cells.take(NAMES["title"])
    images = [(cells.take(NAMES["variant_image"]), ""), *_images(cells), *images]
    for name in [name for name in cells if IMAGE.fullmatch(name)]:
        del cells[name]
    kept = parent_attributes(of_all, KEPT_OF_PRODUCT, NAMES)
    inherited = {name: cell for name, cell in of_all.items() if name not in OF_EACH_SKU and not IMAGE.fullmatch(name)}
    if cells.peek(NAMES["price"]):  # a SKU with its own price inherits neither the sale price nor the retail price
        kept |= parent_attributes(of_all, (*NAMES["price"], *NAMES["sale_price"], *NAMES["compare_at_price"]), NAMES)
        for name in (*NAMES["sale_price"], *NAMES["compare_at_price"]):
            inherited.pop(name, None)
    merged = Cells(inherited | cells)
    cells.take(NAMES["item"])
    merged.take(NAMES["item"])
    shown = " / ".join(value for values in options.values() for value in values)
    title = of_all.peek(NAMES["title"]) or merged.peek(NAMES["title"])
    merged.take(NAMES["title"])
    group = of_all.peek(NAMES["sku"]) or of_all.peek(NAMES["id"])
    categories = _categories(merged.take(NAMES["product_type"]))
    ids = [category for category in categories if category.isdecimal()]
    categories = [category for category in categories if category not in ids]
    fields = {
        "sku": merged.take(NAMES["sku"]) or merged.take(NAMES["id"]) or ("/".join((group, shown)) if group else ""),
        "title": f"{title} - {shown}" if parent is not None and shown else title,
        "description": plain_text(merged.take(NAMES["description"])),
        "brand": merged.take(NAMES["brand"]),
        "product_type": categories[0] if categories else "",
        "price": price_in_cents(merged, NAMES["price"]),
        "gtin": merged.take(NAMES["gtin"]),
        "mpn": merged.take(NAMES["mpn"]),
        "link": merged.take(NAMES["link"]),
        "condition": merged.take(NAMES["condition"]).lower(),
        "item_group_id": group,
        "availability": availability,
        **offer(merged, NAMES),
    }
    custom = _custom_fields(merged.take(NAMES["fields"]))
    keywords = words(merged.take(NAMES["keywords"]))
    attributes: dict[str, Any] = {**kept, **merged, "keywords": keywords, "rules": rules}
    attributes["image_description"] = [description for _, description in images if description]
    attributes["product_types"] = categories if len(categories) > 1 else []
    attributes["category_ids"] = ids
    if "product_id" not in attributes and of_all.peek(NAMES["id"]):
        attributes["product_id"] = of_all.peek(NAMES["id"])
    set_options(fields, attributes, options | custom)
    _apply_rules(fields, attributes, rules)
    row = product(fields, [path for path, _ in images], attributes, line)
    if ids:
        row.faults = [("product_type", without_name(ids))]
    return row


def _named_options(name: str) -> dict[str, list[str]]:
    """Returns the options in the name of a SKU row, such as "[S]Size=Small,[RT]Color=Red"."""
    found: dict[str, list[str]] = {}
    for part in re.split(r",(?=\s*\[[A-Z]+\])", name):
        option, separator, value = CONTROL.sub("", part).partition("=")
        if separator and CONTROL.match(part.strip()):
            found[option.strip()] = [re.sub(r":#[0-9A-Fa-f#|]+$", "", value).strip()]
    return found


def _options(cell: str) -> dict[str, list[str]]:
    """Returns the options in a cell such as "Type=Rectangles|Name=Size|Value=Small"."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"Name=([^|\n]*)\|Value=(.*?)(?=\s*Type=|\n|$)", cell, re.DOTALL):
        found.setdefault(name.strip(), []).append(re.sub(r"\[#.*\]$", "", value.strip(" ;\n")).strip())
    return found


def _custom_fields(cell: str) -> dict[str, list[str]]:
    """Returns fields written as "Material=Cotton;Fit=Slim", with or without quotes around each field, or as
    [{"name": "Material", "value": "Cotton"}]."""
    found: dict[str, list[str]] = {}
    try:
        pairs = [(str(field["name"]), str(field["value"])) for field in parse(cell)]
    except (ValueError, KeyError, TypeError):
        pairs = [(quoted or name, text or value) for quoted, text, name, value in CUSTOM_FIELD.findall(cell)]
    for name, value in pairs:
        if name.strip() and value.strip():
            found.setdefault(name.strip(), []).append(value.strip())
    return found


def _categories(cell: str) -> list[str]:
    """Returns categories such as "Clothing > Shirts" from a cell such as "Clothing/Shirts;Sale"."""
    paths = [re.sub(r"^Category Name: |, Category Path: .*$", "", path) for path in re.split(r"[;|]", cell)]
    return list(dict.fromkeys(" > ".join(level.strip() for level in path.split("/")) for path in paths if path.strip()))


def _apply_rules(fields: dict[str, str], attributes: dict[str, Any], rules: list[dict[str, str]]) -> None:
    """If a rule fixes the price of this SKU, sets the price to the price of the rule. The sale price, which belongs to
    the replaced price, becomes an attribute. The attribute `rules` keeps all rules."""
    for rule in rules:
        cells = Cells(rule)
        match = re.fullmatch(r"\[FIXED\]\s*(.+)", cells.peek(NAMES["price"]))
        if match and cells.peek(NAMES["sku"]) == fields["sku"]:
            fields["price"] = match[1]
            attributes["sale_price"] = fields.pop("sale_price", "")


def _images(cells: Cells) -> list[tuple[str, str]]:
    """Removes the cells of images from `cells`. Returns the address or path and the description of each image. The
    thumbnail comes first; the other images are ordered by position."""
    found: dict[int, dict[str, str]] = {}
    for name in list(cells):
        if match := IMAGE.fullmatch(name):
            part = match["part"] or match["alone"]
            found.setdefault(int(match["number"] or 0), {})[part] = cells.pop(name)
    images = []
    for number, parts in found.items():
        address = next((parts[name] for name in parts if name in ("url", "image_url", "image_url_(import)")), "")
        path = address or next((parts[name] for name in parts if "file" in name or "internal" in name), "")
        is_thumbnail = (parts.get("is_thumbnail") or parts.get("image_is_thumbnail") or "").lower() in (
            "y",
            "true",
            "1",
        )
        order = whole_number(parts.get("sort") or parts.get("image_sort_order") or "")
        description = parts.get("description") or parts.get("image_description") or ""
        images.append((not is_thumbnail, number if order is None else order, number, path, description))
    return [(path, description) for _, _, _, path, description in sorted(images) if path]


def _availability(cells: Cells, of_all: Cells) -> str:
    for each in (cells, of_all):
        if is_false(each.peek(NAMES["visible"])) or is_false(each.peek(NAMES["purchases"])):
            return "out_of_stock"
    written = (cells.peek(NAMES["availability"]) or of_all.peek(NAMES["availability"])).lower()
    if written in ("disabled", "preorder"):
        return "preorder" if written == "preorder" else "out_of_stock"
    tracked = (cells.peek(NAMES["track"]) or of_all.peek(NAMES["track"])).lower()
    quantity = stock_sign(cells.peek(NAMES["quantity"]))
    if tracked not in ("", "none", "n", "no", "false", "0") and quantity is not None and quantity <= 0:
        return "out_of_stock"
    return "in_stock"
