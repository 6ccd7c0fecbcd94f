"""A file of delimited text with a header: opened safely, its delimiter found, its records in the header's width."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path

from loader.errors import NotACatalog, NothingToLoad, SourceUnreadable
from loader.rows import Reject
from loader.sources.columns import USUAL_NAMES, normalised
from loader.sources.records import BOM, Record, Records

HEAD_BYTES = 64 * 1024  # a header is shorter
DELIMITERS = ",;\t|"
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a compressed file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of the old kind",
}


class Table:
    """Raises SourceUnreadable, NotACatalog or NothingToLoad when it is made, so that a wrong file loads nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size, head = _size_and_head(path)
        self.delimiter, self.header = _header(path, head)
        self._records: Records | None = None

    @property
    def bytes_read(self) -> int:
        return self._records.bytes_read if self._records else 0

    def records(self) -> Iterator[Record | Reject]:
        try:
            with self.path.open("rb") as file:
                self._records = Records(file, self.delimiter)
                records = iter(self._records)
                next(records)  # the header
                for record in records:
                    yield record if isinstance(record, Reject) else self._in_width(record)
        except OSError as error:
            raise unreadable(self.path, error) from error

    def _in_width(self, record: Record) -> Record | Reject:
        width = len(self.header)
        if len(record.cells) > width and not any(cell.strip() for cell in record.cells[width:]):
            return Record(record.line, record.cells[:width])
        if len(record.cells) != width:
            # filling up or cutting off would move values into the wrong columns
            return Reject(record.line, "", f"the row has {len(record.cells)} cells, the header {width}")
        return record


def unreadable(path: Path, error: OSError) -> SourceUnreadable:
    return SourceUnreadable(f"cannot read {path}: {error.strerror or error}", hint="Check path and permissions.")


def _size_and_head(path: Path) -> tuple[int, bytes]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            mode = status.st_mode
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
            raise SourceUnreadable(f"{path} is {kind}, not a file", hint="Give the path of a catalog file.")
        with path.open("rb") as file:
            return status.st_size, file.read(HEAD_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error


def _header(path: Path, head: bytes) -> tuple[str, list[str]]:
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise NotACatalog(f"{path.name} is {what}, not a table of text", hint="Save it as CSV in UTF-8.")
    if not head.removeprefix(BOM).strip():
        raise NothingToLoad(f"{path.name} is empty", hint="It needs a header line and a line for each product.")
    if b"\r" in head and b"\n" not in head:
        raise NotACatalog(f"{path.name} ends its lines with a bare carriage return", hint="Save it with LF line ends.")
    if b"\n" not in head and len(head) == HEAD_BYTES:
        raise NotACatalog(f"{path.name} has no line end in its first {HEAD_BYTES >> 10} KiB", hint="Is it a CSV file?")
    firsts = {delimiter: next(iter(Records(io.BytesIO(head), delimiter))) for delimiter in DELIMITERS}
    headers = [(delimiter, first.cells) for delimiter, first in firsts.items() if isinstance(first, Record)]
    delimiter, header = max(headers, key=lambda candidate: _fit(candidate[1]), default=("", []))
    broken = next((first for first in firsts.values() if isinstance(first, Reject)), None)
    if broken and _fit(header)[0] == 0:
        raise NotACatalog(f"{path.name}: the header in line {broken.line} cannot be read: {broken.reason}")
    return delimiter, header


def _fit(header: list[str]) -> tuple[int, int]:
    """How well a delimiter cuts the header: how many names we know come out, then how many at all."""
    known = {name for names in USUAL_NAMES.values() for name in names}
    return len(known.intersection(map(normalised, header))), len(header)
