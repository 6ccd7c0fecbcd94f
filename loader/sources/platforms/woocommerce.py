"""Reads WooCommerce's product export.

The parent of a variation is a variable product. If the variation lacks a cell of its parent, it inherits the cell. The
cells in OF_THE_PARENT are not inherited. A variable product with variations in the file is not loaded itself.
"""

import re
from collections.abc import Iterator
from typing import Any

from db.catalog.plain_text import plain_text
from db.catalog.product import RawProduct
from db.catalog.rows.cells import image_paths
from db.catalog.rows.options import is_false, is_true, stock_sign
from loader.rejects import Reject
from loader.sources.platforms.woocommerce_headers import english
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

NAMES = {
    "id": ("id",),
    "sku": ("sku", "id"),
    "type": ("type",),
    "title": ("name",),
    "description": ("description", "short_description"),
    "brand": ("brands", "brand"),
    "product_type": ("categories",),
    "price": ("regular_price",),
    "sale_price": ("sale_price",),
    "sale_starts_at": ("date_sale_price_starts",),
    "sale_ends_at": ("date_sale_price_ends",),
    "gtin": ("gtin,_upc,_ean,_or_isbn", "gtin", "ean"),
    "mpn": ("mpn",),
    "image": ("images",),
    "keywords": ("tags",),
    "parent": ("parent",),
    "link": ("permalink", "external_url"),
    "published": ("published",),
    "visibility": ("visibility_in_catalog",),
    "in_stock": ("in_stock?",),
    "quantity": ("stock",),
    "backorders": ("backorders_allowed?",),
}
SHOWN = {
    "id": "attributes.id",
    "type": "item_group_id",
    "keywords": "attributes.keywords",
    "parent": "item_group_id",
    **dict.fromkeys(("published", "visibility", "in_stock", "backorders"), "availability"),
}
ATTRIBUTE = re.compile(r"attribute_(\d+)_(name|value\(s\)|visible|global|default)")
TEXTS = frozenset(("description", "short_description", "purchase_note"))
FORMULAS = ("'=", "'+", "'-", "'@")
# English names of columns that no other platform has; `english` translates a header in another language
SIGNS = frozenset(("visibility_in_catalog", "backorders_allowed?", "sold_individually?", "allow_customer_reviews?"))
# The variations of a parent do not inherit these cells of the parent. The cells become attributes such as `parent_id`.
KEPT_OF_PARENT = (
    "id", "gtin,_upc,_ean,_or_isbn", "gtin", "ean", "mpn", "stock", "low_stock_amount", "regular_price", "sale_price",
    "date_sale_price_starts", "date_sale_price_ends", "position",
)  # fmt: skip
# All cells that variations do not inherit: the cells above, and cells from which fields of a variation are computed
OF_THE_PARENT = frozenset((
    *KEPT_OF_PARENT, "type", "sku", "name", "in_stock?", "backorders_allowed?", "images", "parent", "published",
    "visibility_in_catalog",
))  # fmt: skip


def recognises(head: FileHead) -> bool:
    names = set(map(english, head.header))
    return (
        "name" in names
        and bool({"sku", "id"} & names)
        and (
            len(SIGNS & names) > 1
            or ("type" in names and bool(SIGNS & names or "In stock?" in head.header))
            or {"type", "sku", "regular_price", "published", "categories"} <= names
        )
    )


class WooCommerceSource(PlatformTable):
    name = "woocommerce"
    platform = "a WooCommerce export"
    FIELDS = NAMES
    SHOWN = SHOWN

    @staticmethod
    def spelled(name: str) -> str:
        return english(name)

    def target(self, name: str) -> str:
        return "color, size, material, attributes" if ATTRIBUTE.fullmatch(name) else super().target(name)

    def rows(self) -> Iterator[RawProduct | Reject]:
        with StoredRows() as stored:
            for found in self.records():
                if isinstance(found, Reject):
                    yield found
                    continue
                line, cells = found[0], _as_in_the_shop(found[1])
                parent = cells.peek(NAMES["parent"]) if _is_variation(cells) else ""
                own = {} if parent else {"sku": cells.get("sku", ""), "id": f"id:{cells.get('id', '')}"}
                stored.add(line, cells, parent=parent, **own)
            for line, cells in stored:
                if _is_variation(cells):
                    yield _row(line, cells, _parent(stored, cells))
                elif not _has_variations(stored, cells):
                    yield _row(line, cells, None)


def _as_in_the_shop(cells: Cells) -> Cells:
    r"""Returns the cells as the shop has them. In TEXTS, the export writes a line break as \n, and \n itself as \\n. If
    a cell begins with =, +, - or @, the export puts an apostrophe before it, because a spreadsheet would take the cell
    for a formula."""
    shop = Cells({name: cell[1:] if cell.startswith(FORMULAS) else cell for name, cell in cells.items()})
    for name in TEXTS & shop.keys():
        shop[name] = "\\n".join(part.replace("\\n", "\n") for part in shop[name].split("\\\\n"))
    return shop


def _is_variation(cells: Cells) -> bool:
    return "variation" in re.split(r"[,\s]+", cells.peek(NAMES["type"]).lower())


def _parent(stored: StoredRows, cells: Cells) -> Cells | None:
    written = cells.peek(NAMES["parent"])
    found = stored.first("id", written) or stored.first("sku", written)
    return found[1] if found else None


def _has_variations(stored: StoredRows, cells: Cells) -> bool:
    return any(stored.count("parent", name) for name in (cells.get("sku", ""), f"id:{cells.get('id', '')}") if name)


def _row(line: int, cells: Cells, parent: Cells | None) -> RawProduct:
    of_all = parent or Cells()
    options = _options(of_all, cells)
    written = cells.peek(NAMES["parent"])
    if parent is not None:
        cells.take(NAMES["parent"])
    availability = _availability(cells, of_all)
    images = [*_images(cells), *_images(of_all)]
    whole = Cells(
        {name: cell for name, cell in of_all.items() if name not in OF_THE_PARENT and not ATTRIBUTE.fullmatch(name)}
        | {name: cell for name, cell in cells.items() if not ATTRIBUTE.fullmatch(name)}
    )
    categories = _list(whole.take(NAMES["product_type"]))
    fields = {
        "title": whole.take(NAMES["title"]) or of_all.peek(NAMES["title"]),
        "sku": whole.take(NAMES["sku"]),
        "description": plain_text(whole.take(NAMES["description"])),
        "brand": "/".join(_list(whole.take(NAMES["brand"]))),
        "product_type": categories[0] if categories else "",
        "price": price_in_cents(whole, NAMES["price"]) or whole.take(NAMES["sale_price"]),
        "gtin": whole.take(NAMES["gtin"]),
        "mpn": whole.take(NAMES["mpn"]),
        "link": whole.take(NAMES["link"]),
        "item_group_id": of_all.peek(NAMES["sku"]) or written.removeprefix("id:"),
        "availability": availability,
        **offer(whole, NAMES),
    }
    attributes: dict[str, Any] = {**parent_attributes(of_all, KEPT_OF_PARENT, NAMES), **whole}
    attributes["keywords"] = _list(whole.get("tags", ""))
    attributes.pop("tags", None)
    if (title := of_all.peek(NAMES["title"])) not in fields["title"]:
        attributes["parent_title"] = title
    attributes["product_types"] = categories if len(categories) > 1 else []
    set_options(fields, attributes, options)
    return product(fields, images, attributes, line)


def _options(of_parent: Cells, cells: Cells) -> dict[str, list[str]]:
    """Returns the values of WooCommerce's attributes, by the attribute's name. If a variation has no value of an
    attribute, it gets all values that its parent has for this attribute."""
    found: dict[str, list[str]] = {}
    for each in (of_parent, cells):
        for name, label in each.items():
            match = ATTRIBUTE.fullmatch(name)
            if match and match[2] == "name" and (values := _list(each.get(f"attribute_{match[1]}_value(s)", ""))):
                found[label] = values
    return found


def _images(cells: Cells) -> list[str]:
    written = cells.pop("images", "")
    return image_paths(written) if "://" in written else _list(written)


def _list(cell: str) -> list[str]:
    r"""Returns the members of a cell. Commas separate the members; a comma inside a member is written as \,."""
    members = (member.replace("\\,", ",").strip() for member in re.split(r"(?<!\\),", cell))
    return list(dict.fromkeys(plain_text(member) for member in members if member))


def _availability(cells: Cells, of_parent: Cells) -> str:
    for each in (cells, of_parent):
        published = each.peek(NAMES["published"])
        if (published and not is_true(published)) or each.peek(NAMES["visibility"]).lower() == "hidden":
            return "out_of_stock"
    in_stock = cells.peek(NAMES["in_stock"]) or of_parent.peek(NAMES["in_stock"])
    own = cells.peek(NAMES["quantity"])
    quantity = stock_sign(of_parent.peek(NAMES["quantity"]) if own in ("", "parent") else own)
    backorders = (cells.peek(NAMES["backorders"]) or of_parent.peek(NAMES["backorders"])).lower()
    may_backorder = is_true(backorders) or backorders == "notify"
    if in_stock.lower() in ("backorder", "onbackorder"):
        return "backorder"
    if is_false(in_stock) or in_stock.lower() == "outofstock":
        return "out_of_stock"
    if quantity is not None and quantity <= 0:
        return "backorder" if may_backorder else "out_of_stock"
    return "in_stock" if in_stock or quantity is not None else ""
