"""Reads the files that the page serves at /static/, and compresses them."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

TYPES = {
    "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "png": "image/png", "webp": "image/webp",
    "jpg": "image/jpeg", "woff2": "font/woff2",
}  # fmt: skip


class Entry(Protocol):
    """A file of a folder or of a package."""

    @property
    def name(self) -> str: ...

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    gzipped: bytes
    media_type: str
    tag: str  # a hash of the content


def file_of(name: str, content: bytes) -> File:
    tag = hashlib.sha256(content).hexdigest()[:12]
    return File(content, gzip.compress(content, mtime=0), TYPES[suffix(name)], tag)


def read_files(entries: Iterable[Entry]) -> dict[str, File]:
    """Returns the files with a known suffix by their names."""
    return {entry.name: file_of(entry.name, entry.read_bytes()) for entry in entries if suffix(entry.name) in TYPES}


def suffix(name: str) -> str:
    return name.rpartition(".")[2]
