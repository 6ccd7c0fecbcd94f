"""Reads a file of delimited text with a header. Detects the delimiter, and rejects each record that has more or fewer
cells than the header. Superfluous cells at the end of a record are dropped if they are empty."""

import io
import re
from collections.abc import Generator, Iterator
from dataclasses import replace

from db.catalog.names import normalised
from db.errors import LoaderError
from loader.errors import NotACatalog, NothingToLoad
from loader.rejects import Reject
from loader.sources.reading.catalog_file import HEAD_BYTES, CatalogFile
from loader.sources.reading.columns import is_usual, names_needed
from loader.sources.reading.lines import BOM
from loader.sources.reading.records import Record, Records

DELIMITERS = ",;\t|"
MAX_BEFORE = 10  # the header is sought behind at most this many records
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "compressed twice with gzip",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of the old kind",
}

HINTS = {b"PK\x03\x04": "Unpack the archive, or save the spreadsheet as CSV in UTF-8."}
SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?\r?\n', re.IGNORECASE)  # Excel's first line, which names the delimiter


class Table:
    """A text table. The constructor raises NotACatalog or NothingToLoad, before anything is loaded."""

    def __init__(self, file: CatalogFile) -> None:
        self.path = file.path
        self.size = file.size
        self.delimiter, self.header, self._before = _header(file)
        self.sku_index: int | None = None  # the index of the SKU's column; while it is None, a Reject has no SKU
        self._file = file

    @property
    def bytes_read(self) -> int:
        return self._file.bytes_read

    def records(self) -> Iterator[Record | Reject]:
        with self._file.opened() as file:
            records = iter(Records(file, self.delimiter))
            for _ in range(self._before + 1):  # skips the header and the records before it
                next(records, None)
            for record in records:
                yield record if isinstance(record, Reject) else self._checked(record)

    def named_cells(self) -> Generator[Iterator[tuple[str, str]]]:
        """Yields the names and cells of each good record. Stops without an error where the file cannot be read, because
        the load itself reports that error."""
        try:
            for record in self.records():
                if isinstance(record, Record):
                    yield zip(self.header, record.cells, strict=True)
        except LoaderError:
            return

    def _checked(self, record: Record) -> Record | Reject:
        width = len(self.header)
        if len(record.cells) > width and not any(cell.strip() for cell in record.cells[width:]):
            record = replace(record, cells=record.cells[:width])
        if record.fault:
            return Reject(record.line, self._sku(record), record.fault)
        if len(record.cells) != width:
            # The row is rejected, because padding or truncating it would move values into the wrong columns.
            reason = f"the row has {len(record.cells)} cells, the header {width}"
            return Reject(record.line, self._sku(record), reason)
        return record

    def _sku(self, record: Record) -> str:
        """Returns the SKU, or "" if the SKU is uncertain. In a row with too few or too many cells, only the first cell
        is certain to belong to its column."""
        index = self.sku_index
        if index is None or not (index == 0 or len(record.cells) == len(self.header)):
            return ""
        return record.cells[index].strip()


def _header(file: CatalogFile) -> tuple[str, list[str], int]:
    """Returns the delimiter, the header, and the number of records before the header."""
    name, head = file.path.name, file.head
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise NotACatalog(
                f"{name} is {what}, not a table of text", hint=HINTS.get(magic, "Save it as CSV in UTF-8.")
            )
    if not head.removeprefix(BOM).strip():
        raise NothingToLoad(f"{name} is empty", hint="It needs a header line and a line for each product.")
    if b"\r" in head and b"\n" not in head:
        raise NotACatalog(f"{name} ends its lines with a bare carriage return", hint="Save it with LF line ends.")
    if b"\n" not in head and len(head) == HEAD_BYTES:
        raise NotACatalog(f"{name} has no line end in its first {HEAD_BYTES >> 10} KiB", hint="Is it a CSV file?")
    separator = SEPARATOR_LINE.match(head.removeprefix(BOM))
    delimiters = separator[1].decode("latin-1") if separator else DELIMITERS
    firsts = {delimiter: _first_record(head, delimiter, int(bool(separator))) for delimiter in delimiters}
    headers = [
        (delimiter, first.cells, before)
        for delimiter, (first, before) in firsts.items()
        if isinstance(first, Record) and first.fault is None
    ]
    delimiter, header, before = max(headers, key=lambda candidate: _fit(candidate[1]), default=("", [], 0))
    broken = next((first for first, _ in firsts.values() if isinstance(first, Reject) or first.fault), None)
    if broken and _fit(header)[0] == 0 and len(header) < 2:
        reason = broken.reason if isinstance(broken, Reject) else broken.fault
        raise NotACatalog(f"{name}: the header in line {broken.line} cannot be read: {reason}")
    if not header:
        raise NothingToLoad(f"{name} has no header", hint="It needs a header line and a line for each product.")
    return delimiter, header, before


def _first_record(head: bytes, delimiter: str, before: int) -> tuple[Record | Reject, int]:
    """Returns the record of the header, and the number of records before the header: `before` records, and comments
    that begin with "# ".

    If the first record lacks the usual names of a SKU and a title, the header is the last of the next records that have
    these names. The records before the header are a title of the table, or names that a template shows to people. If no
    record has these names, the first record is the header.
    """
    header: tuple[Record | Reject, int] | None = None
    read = 0
    for number, found in enumerate(Records(io.BytesIO(head), delimiter)):
        if number < before or (isinstance(found, Record) and _is_comment(found.cells)):
            continue
        is_named = isinstance(found, Record) and not found.fault and names_needed(found.cells)
        if header is None or is_named:
            header = found, number
        read += 1
        if read > MAX_BEFORE or (is_named and read == 1):
            break
    return header or (Record(1, []), 0)


def _is_comment(cells: list[str]) -> bool:
    return cells[0].lstrip().startswith("# ") and _fit(cells)[0] == 0


def _fit(header: list[str]) -> tuple[int, int]:
    """Returns how well a delimiter splits the header, as a pair of numbers. The first is the number of usual column
    names in the header, and the second is the number of all names."""
    return len({normalised(name) for name in header if is_usual(name)}), len(header)
