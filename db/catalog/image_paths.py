"""Checks the addresses and paths of a catalog's images. A path must stay below the image root, the folder at which
paths start. This module opens no file; the encoder opens the files."""

import os
import re
import stat
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

MAX_LENGTH = 1000

_ADDRESS = re.compile(r"(https?|s3|gs)://[^/\s]", re.IGNORECASE)
_PLAIN_ADDRESS = re.compile(r"https?://[^/\s]")  # the usual form, which needs no change
_WITHOUT_SCHEME = re.compile(r"//[^/\s]+\.[^/\s]+/")  # an address without a scheme, such as //shop.example/a.jpg
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)  # such as file:, data: or C:
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ImageRoot:
    def __init__(self, folder: Path) -> None:
        self._root = os.path.realpath(folder)
        self._real_folder = lru_cache(maxsize=1024)(self._resolve_folder)

    def uri(self, written: str) -> tuple[str, str | None]:
        """Return the address or path that the database stores for `written`, and the version of the file.

        The version is a text with the size and the times of the file, so it changes when the file changes. The version
        is None if the file is missing or cannot be reached, and empty for an address.

        A percent sequence in a path is not decoded, because it is part of a file's name. Some archives write an
        accented letter as one character (é), others as a letter and a separate accent. If no file has the name as
        written, the function tries the other form. Raises ValueError with the reason if `written` is not a valid path
        or address. Also raises it if the path leaves the root, directly or through links, or leads to something else
        than a file.
        """
        if address := _address(written):
            return address, ""
        if other := _SCHEME.match(written):
            raise ValueError(f'{_shown(written)} begins with "{other[0]}"; give a path or an http(s) address')
        written = written.replace("\\", "/")  # as Windows separates folders
        if written.startswith("/"):
            raise ValueError(f"{_shown(written)} is absolute; give the path below the image root")
        parts = [part for part in written.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise ValueError(f"{_shown(written)} leaves the image root")
        if not parts or written.endswith("/"):
            raise ValueError(f"{_shown(written)} names no file")
        uri = "/".join(parts)
        version = self._version(uri)
        if version is not None or uri.isascii():
            return uri, version
        for form in ("NFC", "NFD"):
            same = unicodedata.normalize(form, uri)
            if same != uri and (version := self._version(same)) is not None:
                return same, version
        return uri, None

    def _version(self, uri: str) -> str | None:
        folder, _, name = uri.rpartition("/")
        try:
            path = f"{self._real_folder(folder)}/{name}"
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                self._inside(os.path.realpath(path), uri)
                status = Path(path).stat()
        except OSError:  # the file is missing, its name is too long, or access is denied: the encoder reports the error
            return None
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{_shown(uri)} is not a file")
        # The change time (ctime) differs even if a new file of equal size got the modification time of the old file.
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"

    def _resolve_folder(self, folder: str) -> str:
        real = os.path.realpath(f"{self._root}/{folder}")
        self._inside(real, folder)
        return real

    def _inside(self, real: str, uri: str) -> None:
        if real != self._root and not real.startswith(self._root.rstrip("/") + "/"):
            raise ValueError(f"{_shown(uri)} is a link that leaves the image root")


class AddressesOnly:
    """Accepts addresses, and the paths in `stored`, which the product already has. Refuses other paths, because a
    catalog without an image root has no folder where paths could start. The error for a path ends with `why`."""

    def __init__(self, stored: Collection[str] = (), why: str = "") -> None:
        self._stored, self._why = stored, why

    def uri(self, written: str) -> tuple[str, str | None]:
        if address := _address(written):
            return address, ""
        if written in self._stored:
            return written, None
        raise ValueError(f"{_shown(written)} is not an http(s), s3 or gs address{self._why}")


def _address(written: str) -> str | None:
    if _PLAIN_ADDRESS.match(written) and len(written) <= MAX_LENGTH and written.isprintable():
        return written
    if _CONTROL.search(written):
        raise ValueError(f"{_shown(written)} has a control character")
    if len(written) > MAX_LENGTH:
        raise ValueError(f"{_shown(written)} is longer than {MAX_LENGTH} characters")
    if _WITHOUT_SCHEME.match(written):
        written = f"https:{written}"
    if not _ADDRESS.match(written):
        return None
    scheme, separator, rest = written.partition("://")
    return scheme.lower() + separator + rest


def _shown(path: str) -> str:
    return f'image "{path if len(path) <= 80 else path[:80] + "..."}"'
