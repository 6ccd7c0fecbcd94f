"""Reads Shopify's product export. Several rows with the same handle hold the variants and images of one product.

Each variant is loaded as a product, and so is a product without variants. The rows of a handle need not follow each
other. So all rows first go to a temporary SQLite database, as in loader/duplicate_skus.py, and are then read by handle.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.catalog.product import RawProduct
from db.catalog.validation import MAX_IMAGES
from loader.errors import MissingColumns
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.cells import words
from loader.sources.reading.columns import normalised
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.html_text import plain_text
from loader.sources.reading.table import Table

# Our name for each column, and Shopify's names: the older template's name comes first.
NAMES = {
    "handle": ("handle", "url_handle"),
    "title": ("title",),
    "body": ("body_(html)", "description"),
    "vendor": ("vendor",),
    "type": ("type",),
    "category": ("product_category", "standard_product_type"),
    "tags": ("tags",),
    "published": ("published", "published_on_online_store"),
    "status": ("status",),
    "sku": ("variant_sku", "sku"),
    "price": ("variant_price", "price"),
    "barcode": ("variant_barcode", "barcode"),
    "tracker": ("variant_inventory_tracker", "inventory_tracker"),
    "quantity": ("variant_inventory_qty", "inventory_quantity"),
    "policy": ("variant_inventory_policy", "continue_selling_when_out_of_stock"),
    "image": ("image_src", "product_image_url"),
    "image_position": ("image_position",),
    "image_alt": ("image_alt_text",),
    "variant_image": ("variant_image", "variant_image_url"),
    **{f"option{n}_{part}": (f"option{n}_{part}",) for n in (1, 2, 3) for part in ("name", "value")},
}
FIELDS = {  # the fields of our names
    "handle": "sku, item_group_id",
    "title": "title",
    "body": "description",
    "vendor": "brand",
    "type": "product_type",
    "category": "product_type",
    "tags": "attributes.keywords",
    "published": "availability",
    "status": "availability",
    "sku": "sku",
    "price": "price",
    "barcode": "gtin",
    "tracker": "availability",
    "quantity": "availability",
    "policy": "availability",
    "image": "image",
    "image_position": "image",
    "variant_image": "image",
    **{f"option{n}_{part}": "color, size, material" for n in (1, 2, 3) for part in ("name", "value")},
}
OF_A_VARIANT = (
    "sku",
    "price",
    "barcode",
    "option1_value",
)  # a row with a value in one of these columns is a variant; any other row holds only an image
OPTION_FIELDS = {"color": "color", "colour": "color", "size": "size", "material": "material"}


def recognises(head: FileHead) -> bool:
    names = set(map(normalised, head.header))
    return all(names.intersection(NAMES[name]) for name in ("handle", "title", "image", "price", "option1_value"))


@dataclass
class _Product:
    """The rows of one handle, combined."""

    line: int
    cells: Mapping[str, str]  # the cells of the row with the title
    option_names: list[str]
    variants: int = 0
    images: list[tuple[float, str]] = field(default_factory=list)


class ShopifySource:
    name = "shopify"

    def __init__(self, file: CatalogFile, *, image_root: Path | None) -> None:
        table = Table(file)
        self.path = table.path
        self.image_root = image_root or table.path.absolute().parent
        self.size = table.size
        self._table = table
        places = {normalised(name): place for place, name in enumerate(table.header)}
        self._places = {
            name: next(places[alias] for alias in aliases if alias in places)
            for name, aliases in NAMES.items()
            if places.keys() & set(aliases)
        }
        missing = {"handle", "title", "price"} - self._places.keys()
        if missing:
            raise MissingColumns(
                f"{table.path.name} is not a Shopify export: it has no column {NAMES[min(missing)][0]}",
                hint="Omit --format to load the file by its own columns.",
            )
        taken = set(self._places.values())
        self._rest = {name: place for name, place in places.items() if place not in taken and name}
        fields = {self._places[name]: field for name, field in FIELDS.items() if name in self._places}
        self.columns = {
            name: fields.get(place, f"attributes.{normalised(name)}") for place, name in enumerate(table.header)
        }

    @property
    def done(self) -> int:
        return self._table.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        with closing(sqlite3.connect("", isolation_level=None)) as store:
            store.execute("pragma journal_mode = off")
            store.execute("begin")
            store.execute("create table row (handle text, line integer, cells text, primary key (handle, line))")
            for record in self._table.records():
                if isinstance(record, Reject):
                    yield record
                elif handle := record.cells[self._places["handle"]].strip():
                    # SQLite stores no surrogates, but `Table` has already rejected rows with surrogates
                    store.execute("insert into row values (?, ?, ?)", (handle, record.line, json.dumps(record.cells)))
                else:
                    yield Reject(record.line, "", "the handle is empty")
            handles = store.execute("select handle from row group by handle order by min(line)")
            for (handle,) in handles:
                yield from self._of_handle(store, handle)

    def _of_handle(self, store: sqlite3.Connection, handle: str) -> Iterator[RawProduct | Reject]:
        product = self._product(_rows(store, handle))
        if product is None:
            line = store.execute("select min(line) from row where handle = ?", (handle,)).fetchone()[0]
            yield Reject(line, "", f"no row of the handle {handle} has a title")
            return
        for line, cells in _rows(store, handle):
            named = self._named(cells)
            if _is_variant(named) or (line == product.line and not product.variants):
                rest = {name: cell for name, place in self._rest.items() if (cell := cells[place].strip())}
                yield self._row(handle, product, line, named, rest)

    def _product(self, rows: Iterator[tuple[int, list[str]]]) -> _Product | None:
        found: _Product | None = None
        images: list[tuple[float, str]] = []
        variants = 0
        for line, cells in rows:
            named = self._named(cells)
            if found is None and named["title"]:
                options = [named[f"option{n}_name"] for n in (1, 2, 3)]
                found = _Product(line, named, options)
            variants += _is_variant(named)
            if named["image"] and len(images) <= MAX_IMAGES:  # one image too many, so that validation rejects the row
                images.append((_position(named["image_position"], len(images)), named["image"]))
        if found is not None:
            found.variants, found.images = variants, sorted(images, key=lambda image: image[0])
        return found

    def _row(
        self, handle: str, product: _Product, line: int, variant: Mapping[str, str], rest: Mapping[str, str]
    ) -> RawProduct:
        of_all = product.cells
        options = {
            name: variant[f"option{n}_value"]
            for n, name in enumerate(product.option_names, 1)
            if name and variant[f"option{n}_value"] and variant[f"option{n}_value"] != "Default Title"
        }
        several = product.variants > 1
        shown = " / ".join(options.values())
        sku = variant["sku"].removeprefix("'")  # Shopify's apostrophe makes spreadsheets keep leading zeros
        fields = {
            "sku": sku or ("/".join((handle, *options.values())) if several else handle),
            "title": f"{of_all['title']} - {shown}" if several and shown else of_all["title"],
            "description": plain_text(of_all["body"]),
            "brand": of_all["vendor"],
            "product_type": of_all["type"] or of_all["category"],
            "price": variant["price"],
            "gtin": variant["barcode"].removeprefix("'"),
            "item_group_id": handle if several else "",
            "availability": _availability(of_all, variant),
        }
        attributes: dict[str, Any] = {**rest, "handle": handle}
        if of_all["type"] and of_all["category"]:
            attributes["product_category"] = of_all["category"]
        if tags := words(of_all["tags"]):
            attributes["keywords"] = tags
        for name, value in options.items():
            fields.setdefault(OPTION_FIELDS.get(name.lower(), ""), value)
            attributes[normalised(name)] = value
        fields.pop("", None)
        paths = [variant["variant_image"], *(path for _, path in product.images)]
        images = tuple(dict.fromkeys(path for path in paths if path))
        return RawProduct({name: text for name, text in fields.items() if text}, images, None, attributes, line)

    def _named(self, cells: Sequence[str]) -> dict[str, str]:
        return {name: cells[self._places[name]].strip() if name in self._places else "" for name in NAMES}


def _rows(store: sqlite3.Connection, handle: str) -> Iterator[tuple[int, list[str]]]:
    for line, cells in store.execute("select line, cells from row where handle = ? order by line", (handle,)):
        yield line, json.loads(cells)


def _is_variant(cells: Mapping[str, str]) -> bool:
    return any(cells[name] for name in OF_A_VARIANT)


def _position(cell: str, otherwise: int) -> float:
    return float(cell) if cell.isdecimal() else otherwise + 1


def _availability(product: Mapping[str, str], variant: Mapping[str, str]) -> str:
    """Returns the availability. The quantity counts only if Shopify tracks it. Shops with several locations export no
    quantity."""
    if product["status"].lower() in ("draft", "archived") or product["published"].lower() == "false":
        return "out_of_stock"
    sold_out = (
        variant["tracker"] and variant["quantity"].removeprefix("-").isdecimal() and int(variant["quantity"]) <= 0
    )
    if sold_out:
        return "backorder" if variant["policy"].lower() in ("continue", "true") else "out_of_stock"
    return "in_stock"
