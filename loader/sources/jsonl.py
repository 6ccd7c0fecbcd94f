"""Reads JSON Lines, with an object on each line. The names in the objects are treated like the header of a table."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from db.catalog.product import RawProduct
from loader.errors import NotACatalog, NothingToLoad
from loader.rejects import Reject
from loader.sources.api.product_objects import FIRST_OBJECTS, ProductObjects
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns
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
        _check_first_lines(file)
        self._objects = ProductObjects(lambda: values(file), mapping)
        with closing(self._objects.records()) as records:
            self._rows = KeyedRows(file.path, self._objects.names(), mapping, records)

    @property
    def columns(self) -> Mapping[str, str]:
        return self._rows.columns

    @property
    def done(self) -> int:
        return self._file.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        for found in self._objects.found():
            if isinstance(found, Reject):
                yield found
            elif isinstance(found[1], dict):
                for record in self._objects.split(found[1]):
                    yield self._rows.row(found[0], record)
            else:
                yield Reject(found[0], "", "the line is JSON, but not an object {...}")


def _check_first_lines(file: CatalogFile) -> None:
    """Raises NothingToLoad for a file without lines, and NotACatalog if none of the first lines is an object."""
    reason = None
    with closing(values(file)) as first_values:
        for found in islice(first_values, FIRST_OBJECTS):
            if isinstance(found, Reject):
                reason = reason or f"line {found.line}: {found.reason}"
            elif isinstance(found[1], dict) and found[1]:
                return
            else:
                reason = reason or f"line {found[0]} is JSON, but not an object"
    if reason is None:
        raise NothingToLoad(f"{file.path.name} is empty", hint="It needs a JSON object on a line for each product.")
    raise NotACatalog(
        f"{file.path.name} is not JSON Lines; {reason}", hint="Write each product as one object {...} on a line."
    )
