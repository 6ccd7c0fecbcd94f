"""Reads JSON Lines, with an object on each line. The names in the objects are treated like the header of a table."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from db.catalog.names import normalised
from db.catalog.product import RawProduct
from db.errors import LoaderError
from loader.errors import NotACatalog, NothingToLoad
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.json_text import values
from loader.sources.reading.keyed import KeyedRows, names_of
from loader.sources.reading.variants import NestedVariants

FIRST_LINES = 100  # the columns are all names in the first 100 objects, because an object may omit its empty fields


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
        self._variants = NestedVariants(_first_names(file), mapping)
        with closing(self._objects()) as records:
            names = names_of(islice(records, FIRST_LINES))
        with closing(self._objects()) as records:
            self._rows = KeyedRows(file.path, names, mapping, records)

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
                for record in self._variants.split(found[1]):
                    yield self._rows.row(found[0], record)
            else:
                yield Reject(found[0], "", "the line is JSON, but not an object {...}")

    def _objects(self) -> Generator[Mapping[str, Any]]:
        """Yields the objects of products and variants, and skips faulty lines. Stops without an error where the file
        cannot be read, because the load itself reports that error."""
        try:
            for found in values(self._file):
                if not isinstance(found, Reject) and isinstance(found[1], dict):
                    yield from self._variants.split(found[1])
        except LoaderError:
            return


def _first_names(file: CatalogFile) -> list[str]:
    """Returns all names in the first objects, because a single object may omit its empty fields."""
    names: dict[str, str] = {}
    reason = None
    with closing(values(file)) as first_values:
        for found in islice(first_values, FIRST_LINES):
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
