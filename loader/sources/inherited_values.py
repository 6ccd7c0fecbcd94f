"""Completes the variants of an export in which only the row of the parent has the title, as in exports of Shopware,
eBay and Wix."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from db.catalog.plain_text import plain_text
from db.catalog.prices import shown
from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.reading.platform_table import Cells
from loader.sources.reading.stored_rows import StoredRows
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource

INHERITED = ("title", "description", "brand", "product_type", "image_link")
IDENTIFIERS = ("id", "product_id", "product_number", "item_id", "item_number")
PARENTS = {  # a column with an identifier of the parent -> the columns in which it is looked up first
    "parent_id": ("id",),
    "parent_sku": ("sku",),
    "parent": ("sku",),
    "parent_product_id": ("product_id", "id"),
    "parent_product_number": ("product_number",),
    "parent_number": ("product_number", "item_number"),
    "parent_item_id": ("item_id",),
}
SHARED = ("handle_id", "handle", "url_handle")  # columns that have the same value for a parent and its variants

Names = list[tuple[str, str]]  # names of a parent in the order in which they are tried, each with its kind
Found = tuple[Cells, str] | str  # what a variant inherits, and the name that led to it; or why there is no parent


class InheritedValues(WrappedSource):
    """The rows of another source. A row without a title takes its empty descriptive values and its images from the row
    of its parent. The first such row starts an extra pass over the file, which stores the rows with a title on disk.
    Without such a row, there is no extra pass.

    A row names its parent by an identifier, or has the item group or handle of one row with a title. If an identifier
    leads to no row, the item group and the handle are tried. In eBay's files, a row with the relationship "Variation"
    names no parent: it belongs to the last row before it without a relationship. A row whose parent is not in the
    file, or is uncertain, is rejected.
    """

    def __init__(self, opened: Callable[[], CatalogSource]) -> None:
        super().__init__(opened())
        self._opened = opened

    def rows(self) -> Iterator[RawProduct | Reject]:
        listing: RawProduct | None = None  # the last row without a relationship, if it has a title
        known: tuple[Names, Found] | None = None  # the last parent, because variants of one parent often follow
        with ExitStack() as open_until_end:
            parents: StoredRows | None = None
            for row in self._source.rows():
                if isinstance(row, Reject):
                    listing = None
                    yield row
                    continue
                related = _text(row, "relationship").lower()
                titled = _says(row.fields.get("title", ""))
                listing = listing if related else row if titled else None
                if titled:
                    yield row
                elif names := _names_of_parent(row):
                    if parents is None:
                        parents = open_until_end.enter_context(StoredRows())
                        _store(self._opened(), parents)
                    if known is None or known[0] != names:
                        known = names, _found(names, parents)
                    yield _with_parent(row, known[1])
                elif related == "variation":
                    reason = "title is empty, and no row with a title and without a relationship comes before it"
                    yield _with_parent(row, (_cells(listing), "") if listing else reason)
                else:
                    yield row  # validation reports the empty title


def _store(source: CatalogSource, parents: StoredRows) -> None:
    """Stores each row with a title under the names by which a variant can name the row. The rows are numbered in the
    order of the file. Their lines do not identify them, because several objects can begin in one line."""
    for number, row in enumerate(source.rows()):
        if isinstance(row, RawProduct) and _says(row.fields.get("title", "")):
            sku, group = (_name(row.fields.get(field, "")) for field in ("sku", "item_group_id"))
            parents.add(number, _cells(row), sku=sku, group=group)
            for name in IDENTIFIERS:
                parents.name(number, **{name: _text(row, name)})
            for name in SHARED:
                parents.name(number, handle=_text(row, name))


def _names_of_parent(row: RawProduct) -> Names:
    group = _name(row.fields.get("item_group_id", ""))
    kinds = ("sku", *IDENTIFIERS)
    names = [
        (kind, _text(row, column)) for column, first in PARENTS.items() for kind in dict.fromkeys((*first, *kinds))
    ]
    names += [(kind, group) for kind in kinds]
    names += [("handle", _text(row, column)) for column in SHARED]
    return [(kind, name) for kind, name in (*names, ("group", group)) if name]


def _found(names: Names, parents: StoredRows) -> Found:
    for kind, name in names:
        count = parents.count(kind, name)
        if count == 1 and (found := parents.first(kind, name)):
            return found[1], name
        if count:
            rows = f'{count} rows with a title have the identifier, handle or group "{shown(name)}"'
            return f"title is empty, and {rows}, so the parent is uncertain"
    return f'title is empty, and the file has no parent "{shown(names[0][1])}" with a title'


def _with_parent(row: RawProduct, found: Found) -> RawProduct | Reject:
    """Returns the variant with the values of its parent. The item group is the first of these that is not empty: that
    of the parent, the parent's SKU, and the name with which the variant names the parent."""
    if isinstance(found, str):
        return Reject(row.line, row.fields.get("sku", ""), found)
    parent, name = found
    fields = {field: parent[field] for field in INHERITED if field in parent}
    if group := parent["item_group_id"] or name:
        fields["item_group_id"] = group
    if row.images:
        fields.pop("image_link", None)
    own = {field: value for field, value in row.fields.items() if field not in INHERITED or _says(value)}
    return replace(row, fields={**fields, **own}, images=row.images or tuple(json.loads(parent["images"])))


def _cells(row: RawProduct) -> Cells:
    """Returns what variants can inherit from a row: fields, the images as a JSON list, and the item group."""
    cells = Cells({name: row.fields[name] for name in INHERITED if name in row.fields})
    cells["images"] = json.dumps(row.images)
    cells["item_group_id"] = row.fields.get("item_group_id") or row.fields.get("sku", "")
    return cells


def _says(html: str) -> bool:
    """Returns whether anything remains of the text without its HTML."""
    return bool(plain_text(html).strip())


def _text(row: RawProduct, name: str) -> str:
    """Returns an identifier in an attribute. It can be in an object, as in {"parent": {"id": 5}}."""
    value: Any = row.attributes.get(name)
    if isinstance(value, dict):
        value = value.get("id") or value.get("sku")
    return _name(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _name(identifier: str) -> str:
    """Returns an identifier in the form in which it is compared. Tables that have empty cells in a column of numbers
    often write the number 5 as 5.0."""
    return re.sub(r"^([0-9]+)\.0$", r"\1", unicodedata.normalize("NFC", identifier.strip()))
