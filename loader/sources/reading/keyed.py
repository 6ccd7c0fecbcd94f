"""Turns records that map names to values (JSON objects, rows of Parquet, items of XML) into products."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from db.catalog.names import normalised
from db.catalog.product import RawProduct
from db.catalog.rows.cells import is_empty, one_text
from db.catalog.rows.columns import Columns
from loader.errors import NotACatalog
from loader.rejects import Reject
from loader.sources.reading.columns import (
    FieldColumns,
    empty_columns,
    resolve,
    resolve_record,
)

MAX_SHAPES = 1000  # at most this many sets of names are remembered, because each object may have a set of its own


def names_of(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the names in the records, in the order in which they appear first. Of names that differ only in their
    spelling, such as "Image Link" and "image_link", only the first is returned."""
    names: dict[str, str] = {}
    for record in records:
        for name in record:
            names.setdefault(normalised(name), name)
    return list(names.values())


def inner_columns(names: Sequence[str], mapping: FieldColumns) -> list[str]:
    """Returns the columns in `mapping` that are paths such as "price.amount" into the value of a column. A column that
    is in `names` does not count as a path."""
    known = set(map(normalised, names))
    mapped = [column for columns in mapping.values() for column in columns]
    return [
        column
        for column in dict.fromkeys(mapped)
        if "." in column and normalised(column) not in known and normalised(column.partition(".")[0]) in known
    ]


def _inner(value: Any, path: Sequence[str]) -> Any:
    """Returns the value at a path. In a list, a number selects one member, counted from 0, and any other name is looked
    up in every member."""
    if not path:
        return value
    first, *rest = path
    if isinstance(value, Mapping):
        name = first if first in value else next((key for key in value if normalised(key) == normalised(first)), None)
        return None if name is None else _inner(value[name], rest)
    if isinstance(value, list):
        if first.isdecimal():
            return _inner(value[int(first)], rest) if int(first) < len(value) else None
        found = [_inner(member, path) for member in value]
        return [member for member in found if not is_empty(member)]
    return None


class KeyedRows:
    """Converts records to rows. `names` are the names in the first records, or in the schema of the file. Raises
    MissingColumns if a mapped name is missing, or if no name means the SKU or no name means the title. `records`
    yields the records of the file, and is read only to find empty columns. In a table (`is_table`), the quantity
    decides the availability of a product that states none.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        mapping: FieldColumns,
        records: Iterable[Mapping[str, Any]] = (),
        *,
        is_table: bool = False,
    ) -> None:
        self._inner = inner_columns(names, mapping)
        names = [*names, *self._inner]
        records = map(self._expanded, records)
        self._empty = empty_columns(path, names, mapping, (record.items() for record in records))
        self.columns: dict[str, str] = resolve(path, names, mapping, self._empty).targets(names)
        self._path = path
        self._mapping = mapping
        self._is_table = is_table
        self._shapes: dict[tuple[str, ...], Columns] = {}

    def row(self, line: int, record: Mapping[str, Any]) -> RawProduct | Reject:
        if self._inner:
            record = self._expanded(record)
        try:
            return self._columns(tuple(record)).row(line, list(record.values()))
        except NotACatalog as error:
            return Reject(line, "", error.message.removeprefix(f"{self._path.name}: "))
        except ValueError as error:
            return Reject(line, self.sku(record), str(error))

    def sku(self, record: Mapping[str, Any]) -> str:
        """Returns the SKU of a rejected record, or "" if the record has none."""
        try:
            index = self._columns(tuple(record)).positions["sku"]
            return one_text("sku", list(record.values())[index])
        except (KeyError, NotACatalog, ValueError):
            return ""

    def _expanded(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the record with the values of the mapped paths as further columns."""
        if not self._inner:
            return record
        values = {path: _inner(record, path.split(".")) for path in self._inner}
        return {**record, **{path: value for path, value in values.items() if not is_empty(value)}}

    def _columns(self, names: tuple[str, ...]) -> Columns:
        columns = self._shapes.get(names)
        if columns is None:
            columns = resolve_record(self._path, names, self._mapping, self._empty)
            columns = replace(columns, stock_decides=self._is_table)
            if len(self._shapes) < MAX_SHAPES:
                self._shapes[names] = columns
                for name, field in columns.targets(names).items():
                    if self.columns.get(name, field).startswith("attributes."):
                        self.columns[name] = field
        return columns
