"""Opens a plain or gzipped file, converts its text to UTF-8, limits its decompressed size, and counts the bytes
read."""

import codecs
import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from db.errors import SettingsError
from loader.errors import SourceDamaged, SourceUnreadable

HEAD_BYTES = 64 * 1024  # size of `head` in bytes; the header of a table must fit into `head`
BUFFER = 256 * 1024  # this many bytes are read at a time
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
# Compression makes a feed 5 to 20 times smaller. A malicious file of a few MB could decompress to terabytes, and its
# load would take days. So the decompressed bytes may be at most MAX_EXPANSION times the compressed bytes read so far,
# or ALWAYS_ALLOWED, whichever is more.
MAX_EXPANSION = 200
ALWAYS_ALLOWED = 64 << 20


class CatalogFile:
    """A plain or gzipped file. The constructor reads its first bytes, and raises SourceUnreadable or SourceDamaged.

    Text in UTF-16, or in the given `encoding`, is converted to UTF-8 when it is read.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        self.encoding: str | None = None  # the encoding of the file, if it is not UTF-8
        self.size = _size(path)
        self._file: BinaryIO | None = None
        self._read = 0
        with self.opened(decompress=False) as file:
            self.is_gzip = file.read(len(GZIP)) == GZIP
        with self.opened() as file:
            first = file.read(4)
        if not first.startswith(PARQUET):
            self.encoding = _other_than_utf8(encoding) if encoding else _utf16(first)
            if self.encoding == "utf-16":
                self.encoding = _utf16(first) or "utf-16"
        with self.opened() as file:
            self.head = file.read(HEAD_BYTES)  # the first bytes after decompression, as UTF-8
        self._read = 0

    @property
    def bytes_read(self) -> int:
        """The number of bytes read from the disk. For a gzipped file, these are compressed bytes."""
        return self._read if self._file is None else self._file.tell()

    @contextmanager
    def opened(self, *, decompress: bool = True) -> Iterator[BinaryIO]:
        """Yields the decompressed file in UTF-8, from its start. With `decompress=False`, yields the file as it is on
        the disk.

        Raises SourceUnreadable if the disk fails, and SourceDamaged if decompression or conversion fails.
        """
        try:
            with self.path.open("rb", buffering=BUFFER) as file:
                self._file = file
                try:
                    decompressed: BinaryIO = file
                    if decompress and self.is_gzip:
                        decompressed = io.BufferedReader(_Decompressed(file, self.path), BUFFER)
                    if decompress and self.encoding:
                        decompressed = io.BufferedReader(_Transcoded(decompressed, self.encoding, self.path), BUFFER)
                    yield decompressed
                finally:
                    self._read, self._file = file.tell(), None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceDamaged(
                f"{self.path.name} is compressed with gzip, and damaged or cut off: {str(error).rstrip('.')}",
                hint="Fetch the file again; gzip -t tells whether it is complete.",
            ) from error
        except OSError as error:
            raise unreadable(self.path, error) from error


class _Decompressed(io.RawIOBase):
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._packed = file
        self._path = path
        self._gzip = gzip.GzipFile(fileobj=file)
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes a memoryview
        count = self._gzip.readinto(buffer)
        self._size += count
        if self._size > ALWAYS_ALLOWED and self._size > MAX_EXPANSION * self._packed.tell():
            raise SourceDamaged(
                f"{self._path.name} decompresses to more than {MAX_EXPANSION} times its size, which no catalog does",
                hint="If the file is a catalog, decompress it before loading.",
            )
        return count


class _Transcoded(io.RawIOBase):
    """Converts text of another encoding to UTF-8. A byte that has no meaning in that encoding stays as it is. Such a
    byte is usually not valid UTF-8, so its row is rejected. In UTF-16 and UTF-32, U+FFFD replaces bytes that cannot be
    decoded."""

    def __init__(self, file: BinaryIO, encoding: str, path: Path) -> None:
        self._file = file
        self._path = path
        self._encoding = encoding
        errors = "replace" if encoding.startswith("utf") else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._ready = b""
        self._at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes a memoryview
        while not self._ready and not self._at_end:
            piece = self._file.read(BUFFER)
            self._at_end = not piece
            try:
                text = self._decoder.decode(piece, final=not piece)
            except UnicodeError as error:  # such as UTF-16 without a byte order mark
                raise SourceDamaged(
                    f"{self._path.name} is not text in {self._encoding}: {error}",
                    hint="Omit --encoding, or give the encoding of the file.",
                ) from error
            self._ready = text.encode(errors="surrogateescape")
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def check_encoding(name: str) -> None:
    """Raises SettingsError for a name that is no encoding of text."""
    try:
        codecs.getincrementaldecoder(name)().decode(b"")
        "".encode(name)
    except (LookupError, TypeError, ValueError) as error:
        raise SettingsError(
            f'--encoding: there is no encoding "{name}"', hint="For example: windows-1252, latin1, utf-16, shift_jis."
        ) from error


def _other_than_utf8(encoding: str) -> str | None:
    name = codecs.lookup(encoding).name
    return None if name in ("utf-8", "utf-8-sig", "ascii") else name


def _utf16(first: bytes) -> str | None:
    """Returns the name of the encoding if the text is UTF-16, or None for other text. Text with a byte order mark gets
    the name "utf-16", because the decoder then reads the mark. Without a mark, the NUL bytes of the first two
    characters show the byte order."""
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(first) == 4 and first[1] == first[3] == 0 and first[0] and first[2]:
        return "utf-16-le"
    return "utf-16-be" if len(first) == 4 and first[0] == first[2] == 0 and first[1] and first[3] else None


def unreadable(path: Path, error: OSError) -> SourceUnreadable:
    return SourceUnreadable(f"cannot read {path}: {error.strerror or error}", hint="Check path and permissions.")


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block
        mode = status.st_mode
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise SourceUnreadable(f"{path} is {kind}, not a file", hint="Give the path of a catalog file.")
    return status.st_size
