"""Reads the listings that Etsy's shop manager exports. Each listing becomes one product. The options of the product
have the values of all variations of the listing."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from db.catalog.names import normalised
from db.catalog.plain_text import plain_text
from db.catalog.product import RawProduct
from db.catalog.rows.options import stock_sign
from loader.rejects import Reject
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.platform_table import Cells, PlatformTable, offer, product, set_options
from loader.sources.reading.stored_rows import StoredRows

NAMES = {
    "sku": ("sku",),
    "title": ("title",),
    "description": ("description",),
    "price": ("price",),
    "currency": ("currency_code", "currency"),
    "material": ("materials",),
    "keywords": ("tags",),
    "quantity": ("quantity",),
}
SHOWN = {"keywords": "attributes.keywords"}
IMAGE = re.compile(r"image_?(\d+)")
VARIATION = re.compile(r"variation_(\d+)_(type|name|values)")
MAX_SKU = 200  # characters


def recognises(head: FileHead) -> bool:
    names = set(map(normalised, head.header))
    return {"title", "price", "tags", "materials"} <= names and any(map(IMAGE.fullmatch, names))


class EtsySource(PlatformTable):
    name = "etsy"
    platform = "an Etsy export"
    FIELDS = NAMES
    SHOWN = SHOWN

    def target(self, name: str) -> str:
        if IMAGE.fullmatch(name):
            return "image"
        return "color, size, material, attributes" if VARIATION.fullmatch(name) else super().target(name)

    def rows(self) -> Iterator[RawProduct | Reject]:
        with StoredRows() as stored:
            for found in self.records():
                if isinstance(found, Reject):
                    yield found
                else:
                    line, cells = found
                    stored.add(line, cells, sku=_first(cells), title=_slug(cells))
            numbers: Counter[str] = Counter()  # slug -> the number of listings so far whose SKU is built from this slug
            for line, cells in stored:
                sku, slug = _first(cells), _slug(cells)
                if not sku or stored.count("sku", sku) > 1:
                    numbers[slug] += 1
                    sku = f"{slug}-{numbers[slug]}" if stored.count("title", slug) > 1 else slug
                yield _row(line, cells, sku)


def _first(cells: Cells) -> str:
    """Returns the first SKU of a listing. A listing names one SKU for each of its variations."""
    return next((sku.strip() for sku in cells.peek(NAMES["sku"]).split(",") if sku.strip()), "")


def _slug(cells: Cells) -> str:
    """Returns a SKU built from the title. It is used for a listing that has no SKU, or whose first SKU is also the
    first SKU of another listing, because the export has no other identifier."""
    return "-".join(re.findall(r"\w+", cells.peek(NAMES["title"]).lower()))[:MAX_SKU].rstrip("-")


def _row(line: int, cells: Cells, sku: str) -> RawProduct:
    skus = [each.strip() for each in cells.take(NAMES["sku"]).split(",") if each.strip()]
    options: dict[str, list[str]] = {}
    for name in [name for name in cells if (match := VARIATION.fullmatch(name)) and match[2] == "name"]:
        values = cells.pop(name.removesuffix("name") + "values", "")
        options[cells.pop(name)] = [plain_text(value) for value in values.split(",") if value.strip()]
    stock = stock_sign(cells.get("quantity", ""))
    fields = {
        "sku": sku,
        "title": plain_text(cells.take(NAMES["title"])),
        "description": plain_text(cells.take(NAMES["description"])),
        "price": cells.take(NAMES["price"]),
        "currency": cells.take(NAMES["currency"]),
        "material": "/".join(part.replace("_", " ").strip() for part in cells.take(NAMES["material"]).split(",")),
        "availability": "" if stock is None else "in_stock" if stock > 0 else "out_of_stock",
        **offer(cells, NAMES),
    }
    names = {int(match[1]): name for name in cells if (match := IMAGE.fullmatch(name))}
    images = [cells.pop(names[number]) for number in sorted(names)]
    tags = [tag.replace("_", " ").strip() for tag in cells.take(NAMES["keywords"]).split(",") if tag.strip()]
    attributes: dict[str, Any] = {**cells, "keywords": tags}
    if skus != [sku]:
        attributes["skus"] = skus
    set_options(fields, attributes, options)
    return product(fields, images, attributes, line)
