"""Turns records that map names to values (JSON objects, rows of Parquet, items of XML) into products."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from db.catalog.product import RawProduct
from loader.errors import NotACatalog
from loader.rejects import Reject
from loader.sources.reading.cells import one_text
from loader.sources.reading.columns import Columns, empty_columns, resolve, resolve_what_is_there

MAX_SHAPES = 1000  # at most this many sets of names are remembered, because in some files each object has other names


class KeyedRows:
    """Turns records into rows. `names` are the names in the first records; MissingColumns is raised if they lack SKU or
    title. `records` reads the file to find its empty columns, if that is needed."""

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        mapping: Mapping[str, str],
        records: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self._empty = empty_columns(path, names, mapping, (record.items() for record in records))
        self.columns: dict[str, str] = resolve(path, names, mapping, self._empty).targets(names)
        self._path = path
        self._mapping = mapping
        self._shapes: dict[tuple[str, ...], Columns] = {}

    def row(self, line: int, record: Mapping[str, Any]) -> RawProduct | Reject:
        try:
            return self._columns(tuple(record)).row(line, list(record.values()))
        except NotACatalog as error:
            return Reject(line, "", error.message.removeprefix(f"{self._path.name}: "))
        except ValueError as error:
            return Reject(line, self.sku(record), str(error))

    def sku(self, record: Mapping[str, Any]) -> str:
        """Returns the SKU of a rejected record, or "" if the record has none."""
        try:
            place = self._columns(tuple(record)).places["sku"]
            return one_text("sku", list(record.values())[place])
        except (KeyError, NotACatalog, ValueError):
            return ""

    def _columns(self, names: tuple[str, ...]) -> Columns:
        columns = self._shapes.get(names)
        if columns is None:
            columns = resolve_what_is_there(self._path, names, self._mapping, self._empty)
            if len(self._shapes) < MAX_SHAPES:
                self._shapes[names] = columns
                for name, field in columns.targets(names).items():
                    self.columns.setdefault(name, field)
        return columns
