"""Reads Shopify's product export. Several rows with the same handle hold the variants and images of one product.

Each variant is loaded as a product, and so is a product without variants. Rows of other handles may stand between the
rows of one handle.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from db.catalog.names import normalised
from db.catalog.plain_text import plain_text
from db.catalog.product import RawProduct
from db.catalog.rows.cells import words
from db.catalog.rows.options import condition_of, field_of_option, is_false, is_true, stock_sign
from db.catalog.validation import MAX_IMAGES
from loader.rejects import Reject
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.platform_table import Cells, PlatformTable, offer, product, set_options
from loader.sources.reading.stored_rows import StoredRows

# Each key has the names that Shopify gives to one column. The name in the older template comes first.
NAMES = {
    "handle": ("handle", "url_handle"),
    "title": ("title",),
    "description": ("body_(html)", "description"),
    "brand": ("vendor",),
    "type": ("type",),
    "category": ("product_category", "standard_product_type"),
    "keywords": ("tags",),
    "published": ("published", "published_on_online_store"),
    "status": ("status",),
    "sku": ("variant_sku", "sku"),
    "price": ("variant_price", "price"),
    "compare_at_price": ("variant_compare_at_price", "compare_at_price"),
    "gtin": ("variant_barcode", "barcode"),
    "mpn": ("google_shopping_/_mpn",),
    "condition": ("google_shopping_/_condition",),
    "tracker": ("variant_inventory_tracker", "inventory_tracker"),
    "quantity": ("variant_inventory_qty", "inventory_quantity"),
    "policy": ("variant_inventory_policy", "continue_selling_when_out_of_stock"),
    "image": ("image_src", "product_image_url"),
    "image_position": ("image_position",),
    "image_alt_text": ("image_alt_text",),
    "variant_image": ("variant_image", "variant_image_url"),
    **{f"option{n}_{part}": (f"option{n}_{part}",) for n in (1, 2, 3) for part in ("name", "value")},
}
SHOWN = {
    "handle": "sku, item_group_id",
    "type": "product_type",
    "category": "product_type",
    "keywords": "attributes.keywords",
    **dict.fromkeys(("published", "status", "tracker", "policy"), "availability"),
    **dict.fromkeys(("image_position", "variant_image"), "image"),
    "image_alt_text": "attributes.image_alt_text",
    "mpn": "mpn, attributes.google_shopping_/_mpn",
    **{f"option{n}_{part}": "color, size, material" for n in (1, 2, 3) for part in ("name", "value")},
}
INHERITED = ("published", "status", "mpn", "condition")
OF_RATING, OF_REVIEW_COUNT = "(product.metafields.reviews.rating)", "(product.metafields.reviews.rating_count)"
RATING = re.compile(r'\{"value":"(?P<value>[0-9.]+)","scale_min":"[0-9.]+","scale_max":"(?P<best>[0-9]+)(\.0+)?"\}')
# A row with a value in one of these columns is a variant. Any other row has the title of the product or only an image.
OF_A_VARIANT = ("sku", "price", "gtin", "option1_value")
# Further columns whose names begin with one of these texts belong to one variant, not to all variants of a product.
OF_EACH_ROW = (
    "variant_", "option", "cost_per_item", "compare_at_price", "charge_tax", "tax_code", "unit_price", "weight_",
    "requires_shipping", "fulfillment_service", "price_/", "included_/",
)  # fmt: skip


def recognises(head: FileHead) -> bool:
    names = set(map(normalised, head.header))
    return all(names.intersection(NAMES[name]) for name in ("handle", "title", "image", "price", "option1_value"))


@dataclass
class _Product:
    """The rows of one handle, combined."""

    line: int
    cells: Cells  # the cells of the row with the title
    option_names: list[str]
    variants: int = 0
    images: list[tuple[float, str, str]] = field(default_factory=list)  # position, address and alternative text
    of_image_rows: dict[str, str] = field(default_factory=dict)  # other cells of rows that hold only an image


class ShopifySource(PlatformTable):
    name = "shopify"
    platform = "a Shopify export"
    FIELDS = NAMES
    SHOWN = SHOWN
    needed = ("handle", "title", "price")

    def rows(self) -> Iterator[RawProduct | Reject]:
        with StoredRows() as stored:
            for found in self.records():
                if isinstance(found, Reject):
                    yield found
                    continue
                line, cells = found
                if handle := cells.peek(NAMES["handle"]):
                    stored.add(line, cells, handle=handle, sku=_sku(cells))
                else:
                    yield Reject(line, "", "the handle is empty")
            for handle in stored.names("handle"):
                yield from _of_handle(stored, handle)


def _of_handle(stored: StoredRows, handle: str) -> Iterator[RawProduct | Reject]:
    whole = _combined(stored.rows_of("handle", handle))
    if whole is None:
        line = next(line for line, _ in stored.rows_of("handle", handle))
        yield Reject(line, "", f"no row of the handle {handle} has a title")
        return
    for line, cells in stored.rows_of("handle", handle):
        if _is_variant(cells) or (line == whole.line and not whole.variants):
            is_shared = stored.count("sku", _sku(cells)) > 1
            yield _row(handle, whole, line, cells, is_shared)


def _combined(rows: Iterator[tuple[int, Cells]]) -> _Product | None:
    found: _Product | None = None
    images: list[tuple[float, str, str]] = []
    rest: dict[str, str] = {}
    variants = 0
    for line, cells in rows:
        if found is None and "title" in cells:
            found = _Product(line, Cells(cells), [cells.peek(NAMES[f"option{n}_name"]) for n in (1, 2, 3)])
        is_variant = _is_variant(cells)
        variants += is_variant
        image = cells.take(NAMES["image"])
        position, text = cells.take(NAMES["image_position"]), cells.take(NAMES["image_alt_text"])
        if image and len(images) <= MAX_IMAGES:  # keeps one image too many, so that validation reports the excess
            images.append((_position(position, len(images)), image, text))
        if not is_variant and (found is None or line != found.line):
            rest |= {name: cell for name, cell in cells.items() if name not in NAMES["handle"]}
    if found is not None:
        found.variants, found.images = variants, sorted(images, key=lambda image: image[0])
        found.of_image_rows = rest
    return found


def _row(handle: str, whole: _Product, line: int, cells: Cells, is_shared: bool) -> RawProduct:
    """Returns a variant, or a product without variants. Cells of the row with the title apply to all variants of the
    product. If the variant has no SKU, or several variants in the file share its SKU (`is_shared`), the SKU is the
    handle. In a product with several variants, the options of the variant follow the handle."""
    of_all = {
        name: cell for name, cell in whole.cells.items() if not name.startswith(OF_EACH_ROW) and not _is_ours(name)
    }
    availability = _availability(whole.cells, cells)
    options = {
        name: value
        for n, name in enumerate(whole.option_names, 1)
        if (value := cells.take(NAMES[f"option{n}_value"])) and name and value != "Default Title"
    }
    for name in (
        "handle",
        "title",
        "image",
        "image_position",
        "image_alt_text",
        *(f"option{n}_name" for n in (1, 2, 3)),
    ):
        cells.take(NAMES[name])
    several = whole.variants > 1
    shown = " / ".join(options.values())
    sku = "" if is_shared else _sku(cells)
    if not is_shared:
        cells.take(NAMES["sku"])
    title, kind, category = (whole.cells.peek(NAMES[name]) for name in ("title", "type", "category"))
    fields = {
        "sku": sku or ("/".join((handle, *options.values())) if several else handle),
        "title": f"{title} - {shown}" if several and shown else title,
        "description": plain_text(whole.cells.peek(NAMES["description"])),
        "brand": whole.cells.peek(NAMES["brand"]),
        "product_type": kind or category,
        "price": cells.take(NAMES["price"]),
        "gtin": cells.take(NAMES["gtin"]).removeprefix("'"),
        # An MPN of the product is not the MPN of each of its variants.
        "mpn": "" if several else whole.cells.peek(NAMES["mpn"]),
        "condition": condition_of(whole.cells.peek(NAMES["condition"])),
        "item_group_id": handle if several else "",
        "availability": availability,
        **offer(cells, NAMES),
    }
    images = [cells.take(NAMES["variant_image"]), *(image for _, image, _ in whole.images)]
    attributes: dict[str, Any] = {**whole.of_image_rows, **of_all}
    attributes |= {name: cell for name, cell in cells.items() if not _is_of_product(name)}
    attributes |= {
        "handle": handle,
        "product_category": category if kind else "",
        "keywords": words(whole.cells.peek(NAMES["keywords"])),
        "image_alt_text": _one_or_all([text for _, _, text in whole.images if text]),
    }
    set_options(fields, attributes, {name: [value] for name, value in options.items()})
    _set_fields_of_metafields(fields, attributes)
    return product(fields, images, attributes, line)


def _set_fields_of_metafields(fields: dict[str, str], attributes: dict[str, Any]) -> None:
    """Sets color, size and material from columns such as "Color (product.metafields.shopify.color-pattern)", if no
    option has set the field. Sets rating and review_count from Shopify's standard metafields for reviews."""
    for name, cell in attributes.items():
        if name.endswith(OF_RATING) and (rating := RATING.fullmatch(cell)):
            fields["rating"] = f"{rating['value']}/{rating['best']}"
        elif name.endswith(OF_REVIEW_COUNT):
            fields["review_count"] = cell
        elif "(product.metafields." in name and (field := field_of_option(name)) and not fields.get(field):
            fields[field] = "/".join(words(cell))


def _is_ours(name: str) -> bool:
    """Returns whether the column is in NAMES and not in INHERITED. Variants do not inherit such a column as an
    attribute."""
    return any(name in NAMES[ours] for ours in NAMES if ours not in INHERITED)


def _is_of_product(name: str) -> bool:
    return any(name in NAMES[ours] for ours in ("description", "brand", "type", "category", "keywords"))


def _sku(cells: Cells) -> str:
    return cells.peek(NAMES["sku"]).removeprefix("'")  # the apostrophe makes spreadsheets keep leading zeros


def _is_variant(cells: Cells) -> bool:
    return any(cells.peek(NAMES[name]) for name in OF_A_VARIANT)


def _one_or_all(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts


def _position(cell: str, otherwise: int) -> float:
    return float(cell) if cell.isdecimal() else otherwise + 1


def _availability(of_all: Cells, variant: Cells) -> str:
    """Returns the availability. The quantity counts only if Shopify tracks it. Shops with several locations export no
    quantity."""
    if of_all.peek(NAMES["status"]).lower() in ("draft", "archived", "unlisted") or is_false(
        of_all.peek(NAMES["published"])
    ):
        return "out_of_stock"
    quantity = stock_sign(variant.peek(NAMES["quantity"]))
    if variant.peek(NAMES["tracker"]) and quantity is not None and quantity <= 0:
        policy = variant.peek(NAMES["policy"])
        return "backorder" if policy.lower() == "continue" or is_true(policy) else "out_of_stock"
    return "in_stock"
