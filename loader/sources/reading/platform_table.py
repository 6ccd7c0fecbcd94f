"""Defines the base class of sources that read a platform's export, which is a table with fixed names of columns.

From each row, a source takes the cells that it knows. The remaining cells become attributes.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, ClassVar

from db.catalog.names import normalised
from db.catalog.prices import CENT
from db.catalog.product import OFFER_COLUMNS, RawProduct
from db.catalog.rows.meant import drop_flagged_sale
from db.catalog.rows.options import field_of_option, whole_number
from loader.errors import MissingColumns
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.table import Table

MORE_DECIMALS = re.compile(r"[0-9]{1,10}[.,][0-9]{4,20}")


class Cells(dict[str, str]):
    """The cells of a row that have a value, by the normalised names of their columns."""

    def take(self, names: Iterable[str]) -> str:
        """Returns the text of the first of these cells that has a value, and removes that cell. Returns "" if none of
        the cells has a value."""
        return next((self.pop(name) for name in names if name in self), "")

    def peek(self, names: Iterable[str]) -> str:
        """Returns the text of the first of these cells that has a value, or "". The cell is not removed. If `take` does
        not remove it later, the cell becomes an attribute too."""
        return next((self[name] for name in names if name in self), "")


class PlatformTable(ABC):
    """Reads a table. FIELDS maps each field to the names that its column can have, best first.

    A subclass names the fields that the table needs (`needed`), and implements `rows`.
    """

    name: ClassVar[str]
    platform: ClassVar[str]  # the name of the export in error messages
    FIELDS: ClassVar[Mapping[str, tuple[str, ...]]]
    SHOWN: ClassVar[Mapping[str, str]] = {}  # key of FIELDS that is no field -> the fields that reports show instead
    needed: ClassVar[tuple[str, ...]] = ("title",)

    def __init__(self, file: CatalogFile, *, image_root: Path | None) -> None:
        table = Table(file)
        self.path = table.path
        self.image_root = image_root or table.path.absolute().parent
        self.size = table.size
        self._table = table
        self._names = _distinct([self.spelled(name) for name in table.header])
        for field in self.needed:
            if not set(self._names).intersection(self.FIELDS[field]):
                raise MissingColumns(
                    f'{table.path.name} is not {self.platform}: it has no column "{self.FIELDS[field][0]}"',
                    hint="Omit --format to load the file by its own columns.",
                )
        fields: dict[str, str] = {}
        for field, names in self.FIELDS.items():
            for name in names:
                fields.setdefault(name, self.SHOWN.get(field, field))
        self.columns = {
            name: fields.get(key, self.target(key)) for name, key in zip(table.header, self._names, strict=True)
        }

    @staticmethod
    def spelled(name: str) -> str:
        """Returns the spelling of a column's name in FIELDS and in attributes."""
        return normalised(name)

    def target(self, name: str) -> str:
        """Returns the field of a column that is not in FIELDS."""
        return f"attributes.{name}"

    @property
    def done(self) -> int:
        return self._table.bytes_read

    @abstractmethod
    def rows(self) -> Iterator[RawProduct | Reject]:
        """Yields the products."""

    def records(self) -> Iterator[tuple[int, Cells] | Reject]:
        """Yields the line number and cells of each row, and a Reject for each row that cannot be read."""
        names = self._names
        for record in self._table.records():
            if isinstance(record, Reject):
                yield record
            else:
                stripped = map(str.strip, record.cells)
                yield record.line, Cells({name: cell for name, cell in zip(names, stripped, strict=True) if cell})


def offer(cells: Cells, names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Removes the cells of the fields in `OFFER_COLUMNS`, whose column names are in `names`, and returns their texts by
    field. A quantity that is no whole number is not removed, so that it becomes an attribute."""
    found = {}
    for field in OFFER_COLUMNS:
        if field in ("sale_price", "compare_at_price"):
            found[field] = price_in_cents(cells, names.get(field, ()))
        elif field != "quantity" or whole_number(cells.peek(names.get(field, ()))) is not None:
            found[field] = cells.take(names.get(field, ()))
    return found


def product(fields: Mapping[str, str], images: Iterable[str], attributes: Mapping[str, Any], line: int) -> RawProduct:
    """Returns a product from the fields, images and attributes that are not empty. Repetitions of an image are
    dropped. A sale price is dropped if an attribute says that the product is not on sale."""
    filled = {name: text for name, text in fields.items() if text}
    warnings: list[tuple[str, str]] = []
    drop_flagged_sale(filled, attributes, warnings)
    return RawProduct(
        filled,
        tuple(dict.fromkeys(image for image in images if image)),
        None,
        {name: value for name, value in attributes.items() if value not in ("", None, [], {})},
        line,
        warnings=warnings,
    )


def parent_attributes(parent: Cells, names: Iterable[str], fields: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Returns the parent's cells in `names` as attributes of a variant, which does not inherit these cells. The name of
    an attribute is `parent_` and the name of the column. If `fields` says that a column holds the GTIN or the MPN, the
    first such column becomes `parent_gtin` or `parent_mpn` instead."""
    short = {name: field for field in ("gtin", "mpn") for name in fields.get(field, ())}
    found: dict[str, str] = {}
    for name in names:
        if name in parent:
            key = f"parent_{short.get(name, name)}"
            found[f"parent_{name}" if key in found else key] = parent[name]
    return found


def price_in_cents(cells: Cells, names: Iterable[str]) -> str:
    """Removes and returns a price. Some platforms write net prices with four or six decimals, which are rounded to
    two. If the rounding changes the price, the cell is not removed, so that the exact price becomes an attribute."""
    written = cells.peek(names)
    if not MORE_DECIMALS.fullmatch(written):
        return cells.take(names)
    exact = Decimal(written.replace(",", "."))
    if (price := exact.quantize(CENT, ROUND_HALF_UP)) == exact:
        cells.take(names)
    return str(price)


def set_options(fields: dict[str, str], attributes: dict[str, Any], options: Mapping[str, list[str]]) -> None:
    """Adds each option to the attributes, unless an attribute has that name already. If the field color, size or
    material is empty, sets the field to the values of its option."""
    for name, values in options.items():
        if not values:
            continue
        field = field_of_option(name)
        if field and not fields.get(field):
            fields[field] = "/".join(dict.fromkeys(values))
        key = normalised(name)
        if key not in attributes:
            attributes[key] = values[0] if len(values) == 1 else values


def _distinct(names: list[str]) -> list[str]:
    """Returns the names. If an earlier column has the same name, adds a number to the name."""
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        base, number = name or f"column_{index + 1}", 1
        unique = base
        while unique in found:
            number += 1
            unique = f"{base}_{number}"
        found[unique] = index
    return list(found)
