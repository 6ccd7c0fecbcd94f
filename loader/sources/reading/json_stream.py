"""Reads the members of lists in a JSON document, in bounded memory. The document may have any size."""

import codecs
import re
from collections.abc import Callable, Collection, Generator, Iterator
from typing import Any, BinaryIO, NamedTuple

from db.strict_json import DECODER, TOO_DEEP, is_deep_text, parse
from loader.errors import SourceDamaged
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.lines import BOM, MAX_RECORD, TOO_LONG

PIECE = 256 * 1024  # this many bytes are read at a time
DEEPEST = 20  # reading fails at an object outside the lists that is nested deeper than this many levels
MOST_NAMES = 10_000  # to find a repeated name, at most this many names of an object outside the lists are kept
MOST_DAMAGED = 10_000  # at most this many members before the first object of a list are reported
_BLANKS = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_BAD_BYTE = re.compile("[\udc80-\udcff]")

Path = tuple[str, ...]  # the names of the members that lead to a list


class Member(NamedTuple):
    """A member of a list in the document, or an object outside a list: the path of the list or of the object, the first
    line of the value, and its JSON value."""

    path: Path
    line: int
    value: Any


def members(
    file: CatalogFile, enters: Callable[[Path, Any], bool], whole_names: Collection[str] = ()
) -> Generator[Member | Reject]:
    """Yields the members of each list for which `enters` returns true. `enters` gets the path of the list, and the
    first object in the list that is not empty. If a member before this object is not an object, it is yielded with the
    value None.

    Two kinds of objects outside the lists are yielded as well: objects whose name is in `whole_names`, and an object
    that no other object contains, if `enters` returns true for it. Raises SourceDamaged where the document is not
    valid, because the rest of the document cannot be read.
    """
    with file.opened() as opened:
        yield from _Document(opened, file.path.name, enters, whole_names).values((), 0)


class _Document:
    def __init__(
        self, file: BinaryIO, name: str, enters: Callable[[Path, Any], bool], whole_names: Collection[str]
    ) -> None:
        self._file = file
        self._name = name
        self._enters = enters
        self._whole_names = whole_names
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._position = 0
        self._line = 1
        self._at_end = False
        self._more()
        self._text = self._text.removeprefix(BOM.decode())

    def values(self, path: Path, depth: int) -> Iterator[Member | Reject]:
        """Reads the value at the current position. At depth 0, reads all values up to the end of the document."""
        while first := self._peek():
            if first == "[":
                yield from self._list(path, depth)
            elif first == "{":
                yield from self._object(path, depth)
            else:
                self._whole_value()
            if depth:
                return

    def _object(self, path: Path, depth: int) -> Iterator[Member | Reject]:
        if depth == 0 and (found := self._try_value()) is not None and self._enters(path, found[0]):
            value, end = found
            if is_deep_text(self._text, value, self._position, end):
                raise self._damaged(TOO_DEEP)
            yield Member(path, self._line, value)
            self._advance(end)
            return
        if depth and path[-1].lower() in self._whole_names:
            yield Member(path, self._line, self._whole_value())
            return
        self._expect("{")
        names: set[str] = set()
        while self._peek() != "}":
            name = self._whole_value()
            self._expect(":")
            if not isinstance(name, str) or depth >= DEEPEST:
                raise self._damaged("an object has a member without a name, or is nested too deep")
            if name in names:
                raise self._damaged(f'"{name[:40]}" is given twice')
            if len(names) < MOST_NAMES:
                names.add(name)
            yield from self.values((*path, name), depth + 1)
            if self._peek() == ",":
                self._expect(",")
        self._expect("}")

    def _list(self, path: Path, depth: int) -> Iterator[Member | Reject]:
        self._expect("[")
        is_entered: bool | None = None
        before: list[Member | Reject] = []  # the members of the list before its first object that is not empty
        while (first := self._peek()) != "]":
            if not first:
                raise self._damaged("the document ends inside a list")
            line = self._line
            found = self._value()
            if is_entered is None and isinstance(found, dict) and found:
                is_entered = self._enters(path, found)
                if is_entered:
                    yield from before
                before.clear()
            elif is_entered is None and len(before) < MOST_DAMAGED:
                is_kept = isinstance(found, Reject)
                before.append(found if is_kept else Member(path, line, {} if isinstance(found, dict) else None))
            if is_entered:
                yield found if isinstance(found, Reject) else Member(path, line, found)
            if self._peek() == ",":
                self._expect(",")
        self._expect("]")

    def _value(self) -> Any:
        """Returns the value at the current position, or a Reject. Moves the position to the end of the value."""
        if (found := self._try_value()) is not None:
            value, end = found
            bad = _BAD_BYTE.search(self._text, self._position, end)
            is_deep = is_deep_text(self._text, value, self._position, end)
            line = self._line
            self._advance(end)
            if bad:
                return Reject(line, "", f"not UTF-8: byte 0x{ord(bad[0]) - 0xDC00:02X}")
            return Reject(line, "", TOO_DEEP) if is_deep else value
        line, end = self._line, self._end_of_value()
        written = self._text[self._position : end]
        self._advance(end)
        if len(written) > MAX_RECORD:
            return Reject(line, "", f"the value is {TOO_LONG}")
        try:
            parse(written)
        except ValueError as error:
            return Reject(line, "", str(error))
        return Reject(line, "", "the value cannot be read")

    def _whole_value(self) -> Any:
        """Returns a value outside the lists of products."""
        found = self._value()
        if isinstance(found, Reject):
            raise self._damaged(found.reason)
        return found

    def _try_value(self) -> tuple[Any, int] | None:
        """Returns the value at the current position and the position of its end. Returns None if the value is too
        long or not valid."""
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
            except (ValueError, RecursionError):
                end = len(self._text)
                if len(self._text) - self._position > MAX_RECORD:
                    return None
            else:
                if end - self._position > MAX_RECORD:
                    return None
                if end < len(self._text) or self._at_end:
                    return value, end
            if not self._more():
                return None

    def _end_of_value(self) -> int:
        """Finds the end of a value that is too long or not valid, by counting brackets.

        The value is scanned again only when twice as many of its characters have been read. So the time of all scans
        is proportional to the length of the value.
        """
        scanned = 0  # characters of the value in the last scan
        while True:
            start = self._position
            known = len(self._text) - start
            is_too_long = known > 16 * MAX_RECORD
            if known >= 2 * scanned or is_too_long or self._at_end:
                scanned, depth = known, 0
                for token in _TOKEN.finditer(self._text, start):
                    depth += (token[0] in "[{") - (token[0] in "]}")
                    end = token.end() if depth == 0 else token.start()
                    if depth <= 0 and end > start:
                        return end
                    if depth < 0:
                        raise self._damaged(f"{token[0]} is not expected")
            if is_too_long:
                raise self._damaged(f"a value has no end within {16 * MAX_RECORD:,} characters")
            if not self._more():
                raise self._damaged("a value has no end")

    def _peek(self) -> str:
        """Returns the next character that is not blank, or "" at the end of the document."""
        while True:
            end = _BLANKS.match(self._text, self._position).end()  # type: ignore[union-attr]  # it always matches
            self._advance(end)
            if end < len(self._text):
                return self._text[end]
            if not self._more():
                return ""

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise self._damaged(f"{character} is missing")
        self._advance(self._position + 1)

    def _advance(self, position: int) -> None:
        self._line += self._text.count("\n", self._position, position)
        self._position = position

    def _more(self) -> bool:
        """Reads the next piece of the file. Returns False if an earlier call has reached the end of the file."""
        if self._at_end:
            return False
        piece = self._file.read(PIECE)
        self._at_end = not piece
        self._text = self._text[self._position :] + self._decoder.decode(piece, final=not piece)
        self._position = 0
        return True

    def _damaged(self, reason: str) -> SourceDamaged:
        return SourceDamaged(
            f"{self._name} is not valid JSON at line {self._line}: {reason}",
            hint="The rest of the file cannot be read. Is the file complete?",
        )
