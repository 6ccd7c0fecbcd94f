"""Reads JSON Lines, with an object on each line. The names in the objects are treated like the header of a table."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from db.catalog.product import RawProduct
from db.errors import LoaderError
from loader.errors import NotACatalog, NothingToLoad
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns, normalised
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.json_text import values
from loader.sources.reading.keyed import KeyedRows


def recognises(head: FileHead) -> bool:
    return head.is_json_lines


class JsonLinesSource:
    def __init__(
        self, file: CatalogFile, *, mapping: FieldColumns, image_root: Path | None, name: str = "jsonl"
    ) -> None:
        self.name = name
        self.path = file.path
        self.image_root = image_root or file.path.absolute().parent
        self.size = file.size
        self._file = file
        with closing(_objects(file)) as records:
            self._rows = KeyedRows(file.path, _first_names(file), mapping, records)

    @property
    def columns(self) -> Mapping[str, str]:
        return self._rows.columns

    @property
    def done(self) -> int:
        return self._file.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        for found in values(self._file):
            if isinstance(found, Reject):
                yield found
            elif isinstance(found[1], dict):
                yield self._rows.row(*found)
            else:
                yield Reject(found[0], "", "the line is JSON, but not an object {...}")


def _objects(file: CatalogFile) -> Generator[dict[str, Any]]:
    """Yields the objects, without rejects. Stops without an error where the file cannot be read, because the load
    itself reports that error."""
    try:
        for found in values(file):
            if not isinstance(found, Reject) and isinstance(found[1], dict):
                yield found[1]
    except LoaderError:
        return


def _first_names(file: CatalogFile, lines: int = 100) -> list[str]:
    """Returns all names in the first `lines` objects, because a single object may omit its empty fields."""
    names: dict[str, str] = {}
    reason = None
    with closing(values(file)) as first_values:
        for found in islice(first_values, lines):
            if isinstance(found, Reject):
                reason = reason or f"line {found.line}: {found.reason}"
            elif isinstance(found[1], dict):
                for name in found[1]:
                    names.setdefault(normalised(name), name)
            else:
                reason = reason or f"line {found[0]} is JSON, but not an object"
    if names:
        return list(names.values())
    if reason is None:
        raise NothingToLoad(f"{file.path.name} is empty", hint="It needs a JSON object on a line for each product.")
    raise NotACatalog(
        f"{file.path.name} is not JSON Lines; {reason}", hint="Write each product as one object {...} on a line."
    )
