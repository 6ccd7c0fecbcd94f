"""Reads the physical lines of a file in bounded memory. The content of a line that is too long is dropped."""

from typing import BinaryIO

MAX_RECORD = 1 << 20  # limit of the bytes of a line, record or item: 100 times the size of a long description
BOM = b"\xef\xbb\xbf"


class Lines:
    """Iterates once over pairs of a line number, counted from 1, and the line. The line is None if it has more than
    MAX_RECORD bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> tuple[int, bytes | None]:
        before = 0 if self._number else len(BOM)  # the BOM of the first line does not count
        raw = self._file.readline(before + MAX_RECORD + 1)
        if not raw:
            raise StopIteration
        self._number += 1
        if before:
            raw = raw.removeprefix(BOM)
        if len(raw) <= MAX_RECORD:
            return self._number, raw
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(MAX_RECORD)
        return self._number, None


def bad_byte(raw: bytes, number: int, error: UnicodeDecodeError) -> str:
    return f"byte 0x{raw[error.start]:02X} at position {error.start + 1} of line {number}"


NOT_UTF8 = "not UTF-8: {}; save the file as UTF-8, or load it with --encoding windows-1252"
TOO_LONG = f"longer than {MAX_RECORD >> 20} MiB"
