"""Reads delimited text record by record, in bounded memory. If a record is broken, only its first line is rejected.

A record is broken if a quote is not closed, if text follows a closing quote, or if a cell or the record is too long. A
bare carriage return in a cell without quotes also breaks the record. The csv module alone would extend a cell with an
unclosed quote to the end of the file, and all later records would be lost. So the lines of the current record are kept
in memory, and if the record is broken, reading continues with its second line. A record with bytes that are not UTF-8
is rejected with all its lines.

Some exports write ="00123" for the text 00123, so that a spreadsheet keeps the zeros. Such a cell is read as that text.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from loader.rejects import Reject
from loader.sources.reading.lines import MAX_RECORD, NOT_UTF8, TOO_LONG, Lines, bad_byte

_FORMULA = re.compile(r'\s*="([^"]*)"\s*')  # a spreadsheet's formula for a text


@dataclass(slots=True)  # not frozen, because building a frozen dataclass takes three times as long
class Record:
    line: int
    cells: list[str]
    fault: str | None = None  # the reason why the record is rejected; None for a good record


class _TooLong(Exception):
    pass


class _Text:
    """Yields the lines of a file as text. The lines of the current record can be put back, to be read again."""

    def __init__(self, file: BinaryIO) -> None:
        self.bad_byte: str | None = None
        self.may_have_formula = False
        self._lines = Lines(file)
        self._record: list[tuple[int, bytes | None]] = []
        self._record_bytes = 0
        self._again: deque[tuple[int, bytes | None]] = deque()

    def __iter__(self) -> "_Text":
        return self

    def __next__(self) -> str:
        number, raw = self._again.popleft() if self._again else next(self._lines)
        self._record.append((number, raw))
        if raw is None or self._record_bytes + len(raw) > MAX_RECORD:
            raise _TooLong
        self._record_bytes += len(raw)
        if b'="' in raw:
            self.may_have_formula = True
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            self.bad_byte = self.bad_byte or bad_byte(raw, number, error)
            return raw.decode(errors="surrogateescape")

    def begin_record(self) -> None:
        self._record = []
        self._record_bytes = 0
        self.bad_byte = None
        self.may_have_formula = False

    @property
    def first_line(self) -> int:
        return self._record[0][0]

    @property
    def line_count(self) -> int:
        return len(self._record)

    def read_again_after_first_line(self) -> None:
        self._again.extendleft(reversed(self._record[1:]))


class Records:
    """Yields the records in the order of the file, and a Reject for each broken record. Skips records with only
    blank cells. The file is read only once."""

    def __init__(self, file: BinaryIO, delimiter: str) -> None:
        self._text = _Text(file)
        self._delimiter = delimiter

    def __iter__(self) -> Iterator[Record | Reject]:
        text = self._text
        # Without `strict`, the reader would accept text after a closing quote, and would treat the end of the file as a
        # closing quote.
        reader = csv.reader(text, delimiter=self._delimiter, strict=True, skipinitialspace=True)
        while True:
            text.begin_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLong) as error:
                yield Reject(text.first_line, "", _why(error, text.line_count))
                text.read_again_after_first_line()
                continue
            if text.may_have_formula:
                cells = [found[1] if (found := _FORMULA.fullmatch(cell)) else cell for cell in cells]
            if text.bad_byte:
                yield Record(text.first_line, cells, NOT_UTF8.format(text.bad_byte))
            elif any(cell.strip() for cell in cells):
                yield Record(text.first_line, cells)


def _why(error: Exception, lines: int) -> str:
    said = str(error)  # csv.Error has no other details; only the wording of the reason depends on this text
    if isinstance(error, _TooLong) and lines == 1:
        return f"the line is {TOO_LONG}"
    if "field limit" in said:
        return f"a cell is longer than {csv.field_size_limit():,} characters"
    if "new-line" in said:
        return "a bare carriage return in a cell without quotes"
    if lines > 1 or "end of data" in said:
        return "a quote is opened on this line and not closed"
    return 'text follows a closing quote (a quote inside a quoted cell is written twice: "")'
