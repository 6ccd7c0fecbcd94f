"""Reads the first bytes of a file. Each format recognises its files by these bytes and by the suffix of the file."""

from functools import cached_property
from typing import Any

from db.catalog.names import normalised
from db.catalog.rows.columns import NEEDED
from db.strict_json import parse
from loader.sources.reading.catalog_file import HEAD_BYTES, CatalogFile
from loader.sources.reading.lines import BOM
from loader.sources.reading.names.usual import USUAL_NAMES
from loader.sources.reading.table import Table

LINES_SUFFIXES = frozenset((".jsonl", ".ndjson"))


class FileHead:
    def __init__(self, file: CatalogFile) -> None:
        self.bytes = file.head.removeprefix(BOM).lstrip()
        self._file = file

    @property
    def is_json(self) -> bool:
        return self.bytes.startswith((b"{", b"["))

    @cached_property
    def header(self) -> list[str]:
        """The header of a text table. The list is empty for JSON, XML and Parquet. Raises NotACatalog or NothingToLoad
        for any other file that is not a text table."""
        return [] if self.is_json or self.bytes.startswith((b"<", b"PAR1")) else Table(self._file).header

    @cached_property
    def names(self) -> list[str]:
        """The names of a table's columns. For JSON, the names of the members of the object on the first line. The list
        is empty if the first line is not an object."""
        return list(self._first_object or ()) if self.is_json else self.header

    @property
    def is_json_lines(self) -> bool:
        """Whether the file is JSON Lines.

        A file of one line with one object may be JSON Lines or a document. It is JSON Lines if its suffix says so, if
        the object has a SKU and a title, or if no member of the object is an object or a list.
        """
        if not self.is_json or self.is_by_line or self._first_object is None:
            return self.is_json and self.is_by_line
        if not LINES_SUFFIXES.isdisjoint(self._file.path.suffixes):
            return True
        names = set(map(normalised, self._first_object))
        has_needed = all(names.intersection(USUAL_NAMES[field]) for field in NEEDED)
        return has_needed or not any(isinstance(value, dict | list) for value in self._first_object.values())

    @property
    def is_by_line(self) -> bool:
        """Whether the file has a JSON document on each line, and not one document over all its lines."""
        first, *others = [line.rstrip() for line in self.bytes.splitlines() if line.strip()] or [b""]
        if others:  # the second line decides, because the first line of a file of JSON Lines may be broken
            return others[0].lstrip().startswith((b"{", b"[")) and not first.endswith((b",", b":", b"[", b"{"))
        return len(self._file.head) == HEAD_BYTES and not LINES_SUFFIXES.isdisjoint(self._file.path.suffixes)

    @cached_property
    def _first_object(self) -> dict[str, Any] | None:
        try:
            value = parse(self.bytes.partition(b"\n")[0].decode())
        except ValueError:
            return None
        return value if isinstance(value, dict) else None
