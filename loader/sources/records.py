"""Delimited text, record by record, in bounded memory. A broken record costs its own line, not those after it.

The csv module reads an unclosed quote to the end of the file. Here the lines of the record being read are remembered:
when it turns out broken (never closed, text after a closing quote, too long), its first line is rejected and reading
goes on with the second. Bytes that are not UTF-8 reject the record they are in.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from loader.rows import Reject

MAX_RECORD = 1 << 20  # bytes; the longest feed descriptions are a hundredth of it
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    line: int
    cells: list[str]


class _TooLong(Exception):
    pass


class _Lines:
    """The physical lines of a file as text. An overlong one is dropped while it is read, and stands as None."""

    def __init__(self, file: BinaryIO) -> None:
        self.bytes_read = 0
        self.bad_byte: str | None = None
        self._file = file
        self._number = 0
        self._record: list[tuple[int, bytes | None]] = []
        self._record_bytes = 0
        self._again: deque[tuple[int, bytes | None]] = deque()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        number, raw = self._again.popleft() if self._again else self._read()
        self._record.append((number, raw))
        if raw is None or self._record_bytes + len(raw) > MAX_RECORD:
            raise _TooLong
        self._record_bytes += len(raw)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            self.bad_byte = (
                self.bad_byte or f"byte 0x{raw[error.start]:02X} at position {error.start + 1} of line {number}"
            )
            return raw.decode(errors="surrogateescape")

    def begin_record(self) -> None:
        self._record = []
        self._record_bytes = 0
        self.bad_byte = None

    @property
    def first_line(self) -> int:
        return self._record[0][0]

    @property
    def line_count(self) -> int:
        return len(self._record)

    def give_back_all_but_first(self) -> None:
        self._again.extendleft(reversed(self._record[1:]))

    def _read(self) -> tuple[int, bytes | None]:
        raw = self._file.readline(MAX_RECORD + 1)
        if not raw:
            raise StopIteration
        self._number += 1
        self.bytes_read += len(raw)
        if self._number == 1:
            raw = raw.removeprefix(BOM)
        if len(raw) <= MAX_RECORD:
            return self._number, raw
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(MAX_RECORD)
            self.bytes_read += len(raw)
        return self._number, None


class Records:
    """Iterate once: `Record` or `Reject`, in the order of the file. Blank lines are skipped."""

    def __init__(self, file: BinaryIO, delimiter: str) -> None:
        self._lines = _Lines(file)
        self._delimiter = delimiter

    @property
    def bytes_read(self) -> int:
        return self._lines.bytes_read

    def __iter__(self) -> Iterator[Record | Reject]:
        lines = self._lines
        # strict: without it, text after a closing quote is guessed at, and the end of the file closes any quote
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True, skipinitialspace=True)
        while True:
            lines.begin_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLong) as error:
                yield Reject(lines.first_line, "", _why(error, lines.line_count))
                lines.give_back_all_but_first()
                continue
            if lines.bad_byte:
                yield Reject(
                    lines.first_line,
                    "",
                    f"not UTF-8: {lines.bad_byte}; save the file as UTF-8 (iconv -f latin1 -t utf-8)",
                )
            elif any(cell.strip() for cell in cells):
                yield Record(lines.first_line, cells)


def _why(error: Exception, lines: int) -> str:
    said = str(error)
    if isinstance(error, _TooLong) and lines == 1:
        return f"the line is longer than {MAX_RECORD >> 20} MiB"
    if "field limit" in said:
        return f"a cell is longer than {csv.field_size_limit():,} characters"
    if "new-line" in said:
        return "a bare carriage return in a cell without quotes"
    if lines > 1 or "end of data" in said:
        return "a quote is opened on this line and not closed"
    return 'text follows a closing quote (a quote inside a quoted cell is written twice: "")'
