"""Completes the variants of an export in which only the row of the parent has the title, as in exports of Shopware,
eBay and Wix."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from db.catalog.names import plain_words
from db.catalog.plain_text import plain_text
from db.catalog.prices import shown
from db.catalog.product import RawProduct
from db.catalog.rows.options import says_availability
from db.catalog.rows.published import hides, says_shown
from loader.rejects import Reject
from loader.sources.inherited_prices import PRICES, lacks_price, with_price
from loader.sources.reading.parent_columns import IDENTIFIERS, is_parent, kinds
from loader.sources.reading.platform_table import Cells
from loader.sources.reading.stored_rows import StoredRows
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource

_VARIANT_ID = re.compile("(?:variant|variation|variante|varianten)id")
_PRODUCT_ID = re.compile("(?:product|produkt|produit|producto|prodotto)id")
INHERITED = ("title", "description", "brand", "product_type", "image_link")
SHARED = ("handle_id", "handle", "url_handle")  # columns that have the same value for a parent and its variants

# (kind, name) of each name of a parent, in the order in which the names are tried. A kind is the column in which the
# name is looked up, or "handle" or "group".
Names = list[tuple[str, str]]


class _Parent(NamedTuple):
    cells: Cells  # what a variant inherits
    name: str  # the name that led to the parent
    number: int  # number of the parent's row in the file, from 0
    of: str = ""  # the name of the parent's own parent, if the parent is itself a variant


Found = _Parent | str  # the parent, or the reason why no parent was found


class InheritedValues(WrappedSource):
    """Yields the rows of another source. If a row has no title, the row of its parent provides the title, the images
    and the descriptive values that the row lacks. A row without a price gets the price of its parent. A row without an
    item group gets the group of its parent. A variant of a parent that is not shown is out of stock, unless the
    variant says itself that it is shown. At the first row that needs a parent, the whole file is read a second time,
    and its rows are stored on disk. A file without such a row is read only once.

    A row names its parent by an identifier, or has the item group or handle of exactly one row with a title. If an
    identifier leads to no row, the item group and the handle are tried. In eBay's files, a row with the relationship
    "Variation" names no parent: its parent is the last earlier row that has no relationship. In Squarespace's files,
    the same applies to a row that has only the ID of a variant. A row without a title is rejected if its parent is not
    in the file or is uncertain.

    A row with a title can name its parent in a column such as parent_id. It inherits values through this column only
    if every value of the column, in the whole file, is the identifier of a row that has no parent itself. If this
    condition fails, a row without an item group gets a warning.
    """

    def __init__(self, opened: Callable[[], CatalogSource]) -> None:
        super().__init__(opened())
        self._opened = opened
        self._flags: list[str] = []  # the columns that can say that a product is not shown
        self._doubts: dict[str, str] = {}  # column that names parents -> why rows with a title do not use it

    def rows(self) -> Iterator[RawProduct | Reject]:
        # The last row without a relationship, if it has a title. None after a rejected row.
        listing: RawProduct | None = None
        known: tuple[Names, Found] | None = None  # the last parent, because the next row often has the same parent
        has_prices = "price" in self.columns.values()
        targets = (target.removeprefix("attributes.") for target in self.columns.values() if "attributes." in target)
        self._flags = [name for name in targets if _is_flag(name)]
        with ExitStack() as open_until_end:
            parents: StoredRows | None = None
            for number, row in enumerate(self._source.rows()):
                if isinstance(row, Reject):
                    listing = None
                    yield row
                    continue
                related = _text(row, "relationship").lower()
                titled = _says(row.fields.get("title", ""))
                if not (related or titled) and listing and _is_variant_of(row, listing):
                    related = "variation"  # as in Squarespace, where each row has the ID of a variant
                listing = listing if related else row if titled else None
                if names := _names_of_needed_parent(row, has_prices, self._flags) if titled else _names_of_parent(row):
                    if parents is None:
                        parents = open_until_end.enter_context(StoredRows())
                        self._doubts = _store(self._opened(), parents)
                    if known is None or known[0] != names:
                        known = names, _found(names, parents)
                    yield self._titled(row, known[1], number) if titled else self._untitled(row, known[1])
                elif titled:
                    yield row
                elif related == "variation":
                    reason = "title is empty, and the last row before it without a relationship "
                    reason += "is missing, rejected or without a title"
                    yield self._untitled(row, _Parent(_cells(listing), "", 0) if listing else reason)
                else:
                    yield row  # validation reports the empty title

    def _titled(self, row: RawProduct, found: Found, number: int) -> RawProduct:
        own = _own_parents(row)
        doubt = next((self._doubts[column] for column in own if column in self._doubts), "")
        if doubt and not row.fields.get("item_group_id"):
            return replace(row, warnings=[*row.warnings, ("item_group_id", doubt)])
        if doubt or isinstance(found, str) or found.number == number:
            return row
        group = row.fields.get("item_group_id") or found.cells["item_group_id"] or found.name
        row = _hidden_with(found.cells, replace(row, fields={**row.fields, "item_group_id": group}))
        return (
            with_price(row, found.cells, found.name) if lacks_price(row) and "price" in self.columns.values() else row
        )

    def _untitled(self, row: RawProduct, found: Found) -> RawProduct | Reject:
        """Returns the variant with the values of its parent. If the variant has no item group, it gets the parent's
        item group. If the parent has none either, the group is the parent's SKU, or else the name with which the
        variant names the parent."""
        if isinstance(found, str):
            return Reject(row.line, row.fields.get("sku", ""), found)
        parent = found.cells
        fields = {field: parent[field] for field in INHERITED if field in parent}
        group = parent["item_group_id"] or found.name
        if group:
            fields["item_group_id"] = group
        if row.images:
            fields.pop("image_link", None)
        own = {field: value for field, value in row.fields.items() if field not in INHERITED or _says(value)}
        row = replace(row, fields={**fields, **own}, images=row.images or tuple(json.loads(parent["images"])))
        row = _hidden_with(parent, row)
        if found.of:
            chain = f'the parent "{shown(found.name)}" is itself a variant of "{shown(found.of)}"'
            row = replace(row, warnings=[*row.warnings, ("item_group_id", chain)])
        if lacks_price(row) and "price" in self.columns.values():
            return with_price(row, parent, found.name or group)
        return row


def _hidden_with(parent: Cells, row: RawProduct) -> RawProduct:
    """Returns the variant as out of stock if the shop does not show the parent, and the variant has no value of its own
    in the column that says so."""
    if all(name in row.attributes for name in json.loads(parent["hidden"] or "[]")):
        return row
    stated = row.fields.get("availability")
    attributes = {"product_availability": stated, **row.attributes} if stated else row.attributes
    return replace(row, fields={**row.fields, "availability": "out_of_stock"}, attributes=attributes)


def _store(source: CatalogSource, parents: StoredRows) -> dict[str, str]:
    """Stores each row with a title under the names by which a variant can name the row. A row without a title that
    names a parent is stored under kinds such as "untitled sku". The rows are numbered in the order of the file. Their
    lines do not identify them, because several objects can begin in one line. Returns the columns that name parents but
    that rows with a title do not use, each with the reason."""
    columns: set[str] = set()
    for number, row in enumerate(source.rows()):
        if isinstance(row, Reject):
            continue
        own, of = _identifiers(row), _own_parents(row)
        columns.update(of)
        parents.name(number, **{f"in {column}": name for column, name in of.items()})
        if not _says(row.fields.get("title", "")):
            if names := _names_of_parent(row):
                cells = Cells(of=names[0][1])
                parents.add(number, cells, **{f"untitled {kind}": name for kind, name in own.items()})
            continue
        cells = _cells(row)
        cells["of"] = next(iter(of.values()), "")
        parents.add(number, cells, group=_name(row.fields.get("item_group_id", "")), **own)
        for name in SHARED:
            parents.name(number, handle=_text(row, name))
    return {column: doubt for column in sorted(columns) if (doubt := _doubt(column, parents))}


def _doubt(column: str, parents: StoredRows) -> str:
    for name in parents.names(f"in {column}"):
        found = next((first for kind in kinds(column) if (first := parents.first(kind, name))), None)
        if found is None or found[1]["of"]:
            why = (
                f'is itself a variant of "{shown(found[1]["of"])}"'
                if found
                else "is no identifier of a row with a title"
            )
            return (
                f'{column} looks like the parent of a variant, but "{shown(name)}" {why}; '
                f"--map item_group_id={column} groups the products by this column"
            )
    return ""


def _identifiers(row: RawProduct) -> dict[str, str]:
    return {"sku": _name(row.fields.get("sku", "")), **{name: _text(row, name) for name in IDENTIFIERS}}


def _own_parents(row: RawProduct) -> dict[str, str]:
    """Returns the identifiers of parents in the row, by the names of their columns. Omits 0 and the identifiers of the
    row itself, which shops write for a row without a parent."""
    found = {column: _text(row, column) for column in row.attributes if is_parent(column)}
    none = {"", "0", *_identifiers(row).values()} if found else ()
    return {column: name for column, name in found.items() if name not in none}


def _names_of_parent(row: RawProduct) -> Names:
    group = _name(row.fields.get("item_group_id", ""))
    names = [(kind, name) for column, name in _own_parents(row).items() for kind in kinds(column)]
    names += [(kind, group) for kind in kinds("")]
    names += [("handle", _text(row, column)) for column in SHARED]
    return [(kind, name) for kind, name in (*names, ("group", group)) if name]


def _names_of_needed_parent(row: RawProduct, has_prices: bool, flags: list[str]) -> Names:
    """Returns the names of the parent of a row with a title. Returns no names if the row has an item group, says itself
    whether it is shown, and has a price or is in a file without prices. Such a row needs no parent."""
    group = row.fields.get("item_group_id")
    is_without_price = has_prices and lacks_price(row)
    if group and not is_without_price and all(name in row.attributes for name in flags):
        return []
    names = [(kind, name) for column, name in _own_parents(row).items() for kind in kinds(column)]
    return names or ([(kind, _name(group)) for kind in kinds("")] if group else [])


def _found(names: Names, parents: StoredRows) -> Found:
    for kind, name in names:
        count = parents.count(kind, name)
        if count == 1 and (found := parents.first(kind, name)):
            number, cells = found
            return _Parent(cells, name, number, cells["of"])
        if count:
            rows = f'{count} rows with a title have the identifier, handle or group "{shown(name)}"'
            return f"title is empty, and {rows}, so the parent is uncertain"
    for kind, name in names:
        if found := parents.first(f"untitled {kind}", name):
            of = shown(found[1]["of"])
            return f'title is empty, and the parent "{shown(name)}" has no title either: it is a variant of "{of}"'
    return f'title is empty, and the file has no parent "{shown(names[0][1])}" with a title'


def _cells(row: RawProduct) -> Cells:
    """Returns what variants can inherit from a row: fields, the images as a JSON list, and the item group."""
    cells = Cells({name: row.fields[name] for name in (*INHERITED, *PRICES) if name in row.fields})
    cells["images"] = json.dumps(row.images)
    cells["hidden"] = json.dumps(
        [name for name, cell in row.attributes.items() if _is_flag(name) and hides(name, cell)]
    )
    cells["item_group_id"] = row.fields.get("item_group_id") or row.fields.get("sku", "")
    return cells


def _is_flag(name: str) -> bool:
    """Returns whether a column can say that a product is not shown. A column that says that it is sold out does not
    count, because a variant of a product that is sold out can be in stock."""
    return says_shown(name) and not says_availability(name, "")


def _is_variant_of(row: RawProduct, listing: RawProduct) -> bool:
    """Returns whether both rows have the ID of a variant, and the row has no ID of another product."""
    is_variant = all(_id(each, _VARIANT_ID) for each in (row, listing))
    return is_variant and _id(row, _PRODUCT_ID) in ("", _id(listing, _PRODUCT_ID))


def _id(row: RawProduct, kind: re.Pattern[str]) -> str:
    return next((_text(row, name) for name in row.attributes if kind.match("".join(plain_words(name)))), "")


def _says(html: str) -> bool:
    """Returns whether the text is not empty after its HTML tags are removed."""
    return bool(plain_text(html).strip())


def _text(row: RawProduct, name: str) -> str:
    """Returns the identifier in an attribute. The value can be an object, as in {"parent": {"id": 5}}."""
    value: Any = row.attributes.get(name)
    if isinstance(value, dict):
        value = value.get("id") or value.get("sku")
    return _name(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _name(identifier: str) -> str:
    """Returns an identifier in the form in which identifiers are compared: 5.0 becomes 5, because programs often write
    the number 5 as 5.0 if some cells of its column are empty."""
    return re.sub(r"^([0-9]+)\.0$", r"\1", unicodedata.normalize("NFC", identifier.strip()))
