"""Reads the product export of Magento 2 and Adobe Commerce, and of Magento 1.

If a variant lacks a cell of its configurable product, it inherits the cell. The cells in OF_THE_PARENT are not
inherited. A configurable product with variants in the file is not loaded itself. A row of a store view becomes part of
the attribute `store_views` of its product, if the file has this product.
"""

import re
from collections.abc import Iterator
from typing import Any

from db.catalog.names import normalised
from db.catalog.plain_text import plain_text
from db.catalog.product import RawProduct
from db.catalog.rows.options import is_false, is_true, stock_sign
from loader.rejects import Reject
from loader.sources.platforms.magento_1 import CATEGORIES, combined, group_of, is_magento_1, more_of
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
from loader.sources.reading.stored_rows import StoredRows

IMAGES = ("base_image", "image", "small_image", "thumbnail_image", "thumbnail", "swatch_image", "additional_images")
NAMES = {
    "sku": ("sku",),
    "title": ("name",),
    "description": ("description", "short_description"),
    "brand": ("manufacturer", "brand"),
    "product_type": ("categories", CATEGORIES, "category_ids"),
    "price": ("price",),
    "sale_price": ("special_price",),
    "sale_starts_at": ("special_price_from_date", "special_from_date"),
    "sale_ends_at": ("special_price_to_date", "special_to_date"),
    "compare_at_price": ("msrp_price", "msrp"),
    "gtin": ("gtin", "ean", "upc", "barcode"),
    "mpn": ("mpn",),
    "image": IMAGES,
    "kind": ("product_type", "type", "_type"),
    "variations": ("configurable_variations",),
    "additional": ("additional_attributes",),
    "keywords": ("meta_keywords", "meta_keyword"),
    "online": ("product_online", "status"),
    "visibility": ("visibility",),
    "quantity": ("qty",),
    "in_stock": ("is_in_stock",),
    "backorders": ("allow_backorders", "backorders"),
    "manage_stock": ("manage_stock",),
    "store_view": ("store_view_code", "_store"),
    "labels": ("configurable_variation_labels",),
}
SHOWN = {
    "kind": "item_group_id",
    "variations": "item_group_id, color, size, material",
    "labels": "item_group_id",
    "additional": "color, size, material, attributes",
    "keywords": "attributes.keywords",
    "store_view": "attributes.store_views",
    **dict.fromkeys(("online", "visibility", "in_stock", "backorders", "manage_stock"), "availability"),
}
# The variants of a configurable product do not inherit these cells of the product. The cells become attributes such as
# `parent_gtin`.
KEPT_OF_PARENT = (
    "price", "special_price", "special_price_from_date", "special_price_to_date", "special_from_date",
    "special_to_date", "msrp_price", "msrp", "url_key", "qty", "created_at", "updated_at", "weight", *NAMES["gtin"],
    *NAMES["mpn"],
)  # fmt: skip
# All cells that variants do not inherit: the cells above, and cells from which fields of a variant are computed
OF_THE_PARENT = frozenset((
    *KEPT_OF_PARENT, "sku", "name", "product_type", "type", "_type", "visibility", "product_online", "status",
    "is_in_stock", "configurable_variations", "configurable_variation_labels", "additional_attributes", *IMAGES,
))  # fmt: skip
# "color=Blue"; a value in quotes may have commas and equals signs
PAIR = re.compile(r'\s*([A-Za-z0-9_]+)=("(?:[^"]|"")*"(?=\s*(?:,|$))|.*?)(?:,(?=\s*[A-Za-z0-9_]+=)|\s*$)', re.DOTALL)
NO_IMAGE = "no_selection"
HIDDEN_IMAGES = "hide_from_product_page"
OF_OPTIONS = ("color", "size", "material")
# The time 0:00 after the last date of a sale. The time is removed, because in Magento a sale lasts to the end of that
# day.
WITHOUT_TIME = re.compile(r",? +(0?0:00(:00)?|12:00(:00)? AM)$")


def recognises(head: FileHead) -> bool:
    names = set(map(normalised, head.header))
    return {"sku", "name"} <= names and bool(
        {"additional_attributes", "configurable_variations", "attribute_set_code", "product_websites"} & names
        or is_magento_1(names)
    )


class MagentoSource(PlatformTable):
    name = "magento"
    platform = "a Magento export"
    FIELDS = NAMES
    SHOWN = SHOWN
    needed = ("sku", "title")

    def target(self, name: str) -> str:
        group = group_of(name) if is_magento_1(set(self._names)) else ""
        if group == "media":
            return "image, attributes.media"
        if group == "super":
            return "item_group_id, color, size, material, attributes.super"
        return f"attributes.{group}" if group else super().target(name)

    def rows(self) -> Iterator[RawProduct | Reject]:
        records = combined(self.records()) if is_magento_1(set(self._names)) else self.records()
        with StoredRows() as stored:
            for found in records:
                if isinstance(found, Reject):
                    yield found
                    continue
                line, cells = found
                sku = cells.peek(NAMES["sku"])
                if cells.peek(NAMES["store_view"]):
                    stored.add(line, cells, view=sku)
                else:
                    stored.add(line, cells, sku=sku)
                    for variant in _variations(cells):
                        stored.name(line, variant=variant)
            for line, cells in stored:
                sku = cells.peek(NAMES["sku"])
                if (cells.peek(NAMES["store_view"]) and stored.count("sku", sku)) or _is_replaced(stored, cells):
                    continue
                parent = stored.first("variant", sku)
                views = _views(stored, parent[1].peek(NAMES["sku"])) if parent else {}
                yield _row(line, cells, parent[1] if parent else None, views | _views(stored, sku))


def _variations(cells: Cells) -> dict[str, dict[str, str]]:
    """Returns the options of each variant, by the variant's SKU."""
    found = {}
    for variant in cells.peek(NAMES["variations"]).split("|"):
        options = _pairs(variant)
        if sku := options.pop("sku", ""):
            found[sku] = options
    return found


def _is_replaced(stored: StoredRows, cells: Cells) -> bool:
    return any(stored.count("sku", variant) for variant in _variations(cells))


def _views(stored: StoredRows, sku: str) -> dict[str, Cells]:
    views = {}
    for _, cells in stored.rows_of("view", sku):
        view = cells.take(NAMES["store_view"])
        cells.take(NAMES["sku"])
        views[view] = cells
    return views


def _row(line: int, cells: Cells, parent: Cells | None, views: dict[str, Cells]) -> RawProduct:
    of_all = parent or Cells()
    availability = _availability(cells, of_all)
    more = more_of(cells, of_all)
    images = [*_images(cells), *_images(of_all)]
    inherited = Cells(_pairs(of_all.peek(NAMES["additional"])))
    of_the_parent = parent_attributes(Cells(inherited | of_all), KEPT_OF_PARENT, NAMES)
    additional = {name: value for name, value in inherited.items() if name not in OF_THE_PARENT}
    additional |= _pairs(cells.take(NAMES["additional"]))
    options = _variations(of_all).get(cells.peek(NAMES["sku"]), {}) if parent else {}
    whole = Cells({name: cell for name, cell in of_all.items() if name not in OF_THE_PARENT} | cells)
    extra = Cells({name: value for name, value in additional.items() if value})
    categories = _categories(whole.take(NAMES["product_type"]))
    kind = whole.take(NAMES["kind"])
    is_zero = stock_sign(whole.peek(NAMES["price"])) == 0  # a bundle with price 0 costs the sum of its parts
    fields = {
        "sku": whole.take(NAMES["sku"]),
        "title": whole.take(NAMES["title"]) or of_all.peek(NAMES["title"]),
        "description": plain_text(whole.take(NAMES["description"])),
        "brand": whole.take(NAMES["brand"]) or extra.take(NAMES["brand"]),
        "product_type": max(categories, key=lambda category: category.count(" > "), default=""),
        "price": "" if kind == "bundle" and is_zero else price_in_cents(whole, NAMES["price"]),
        "gtin": whole.take(NAMES["gtin"]) or extra.take(NAMES["gtin"]),
        "mpn": whole.take(NAMES["mpn"]) or extra.take(NAMES["mpn"]),
        "item_group_id": of_all.peek(NAMES["sku"]),
        "availability": availability,
        **offer(whole, NAMES),
    }
    fields["sale_ends_at"] = WITHOUT_TIME.sub("", fields["sale_ends_at"])
    attributes: dict[str, Any] = {**of_the_parent, **whole, **more, "type": kind, "store_views": views}
    attributes["product_types"] = categories if len(categories) > 1 else []
    attributes["keywords"] = [word.strip() for word in whole.take(NAMES["keywords"]).split(",") if word.strip()]
    for name in NAMES["keywords"]:
        attributes.pop(name, None)
    if (title := of_all.peek(NAMES["title"])) not in fields["title"]:
        attributes["parent_title"] = title
    own = {name: whole[name] for name in OF_OPTIONS if name in whole}  # Magento 1 has a column for each attribute
    named = {name: _values(value) for name, value in {**own, **extra, **options}.items()}
    set_options(fields, attributes, named | {name: more[name] for name in OF_OPTIONS if name in more})
    return product(fields, images, attributes, line)


def _pairs(cell: str) -> dict[str, str]:
    """Returns the attributes in a cell such as "color=Blue,size=M", where a value may be in quotes."""
    found = {}
    for match in PAIR.finditer(cell):
        found[match[1]] = match[2].strip().removeprefix('"').removesuffix('"').replace('""', '"')
    return found


def _values(cell: str) -> list[str]:
    return [plain_text(value) for value in cell.split("|") if value.strip()]


def _categories(cell: str) -> list[str]:
    """Returns the categories below the root category, such as "Gear > Bags"."""
    found = []
    # Magento 1 writes each category on a row of its own, and `magento_1` ends each category with a line break.
    for path in cell.split("\n" if "\n" in cell else ","):
        levels = [level.strip() for level in path.split("/") if level.strip()]
        below = (
            levels[1:] if len(levels) > 1 and re.match(r"default categor|root catalog", levels[0].lower()) else levels
        )
        if below:
            found.append(" > ".join(below))
    return list(dict.fromkeys(found))


def _images(cells: Cells) -> list[str]:
    """Returns the images as paths below media/catalog/product, or as addresses. Additional images that the shop hides
    from the page of the product are omitted."""
    hidden = cells.get(HIDDEN_IMAGES, "").split(",")
    cells["additional_images"] = ",".join(
        image for image in cells.get("additional_images", "").split(",") if image not in hidden
    )
    found = [image.strip() for name in IMAGES for image in cells.pop(name, "").split(",")]
    return [image if "://" in image else image.lstrip("/") for image in found if image and image != NO_IMAGE]


def _availability(cells: Cells, of_parent: Cells) -> str:
    online = [each.peek(NAMES["online"]).lower() for each in (cells, of_parent)]
    hidden = cells.peek(NAMES["visibility"]).lower() in ("not visible individually", "1") and not of_parent
    if hidden or any(word in ("2", "disabled") or (word and is_false(word)) for word in online):
        return "out_of_stock"
    in_stock = cells.peek(NAMES["in_stock"])
    quantity = stock_sign(cells.peek(NAMES["quantity"]))
    if is_false(cells.peek(NAMES["manage_stock"])) and not is_false(in_stock):
        return "in_stock"
    if quantity is not None and quantity <= 0 and cells.peek(NAMES["backorders"]) in ("1", "2"):
        return "backorder"
    if in_stock:
        return "in_stock" if is_true(in_stock) else "out_of_stock"
    return "" if quantity is None else "in_stock" if quantity > 0 else "out_of_stock"
