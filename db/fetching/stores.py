"""Reads images from object stores, below the prefixes that the operator has listed.

The drivers of the stores have their own settings for credentials and endpoints.
"""

import time
from collections.abc import Sequence

import fsspec

from db.errors import SettingsError
from db.fetching.deadlines import call_until
from db.images.errors import FetchFailed, ImageRejected


class Stores:
    def __init__(self, prefixes: Sequence[str], max_bytes: int, seconds: float) -> None:
        """Raises SettingsError when the driver of a store is not installed."""
        self._prefixes = tuple(prefixes)
        self._max_bytes = max_bytes
        self._seconds = seconds
        for scheme in {each.partition("://")[0] for each in prefixes}:
            try:
                fsspec.get_filesystem_class(scheme)
            except ImportError as error:
                raise SettingsError(
                    f"the driver for {scheme}:// is not installed", hint=f"pip install 'windowshop[{scheme}]'"
                ) from error

    def read(self, address: str) -> bytes:
        """Return the bytes of an object. Raises ImageRejected or FetchFailed."""
        scheme, _, path = address.partition("://")
        if not address.startswith(self._prefixes):
            raise ImageRejected("not in an object store that WINDOWSHOP_ENCODER_OBJECT_STORES lists")
        # A driver or the store may normalise a path with empty or dotted parts to a path outside the prefix.
        if "::" in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise ImageRejected("not an object path")
        try:
            return call_until(time.monotonic() + self._seconds, lambda: self._read(scheme, path))
        except ImageRejected:
            raise
        except FileNotFoundError:
            raise ImageRejected("no such object") from None
        except PermissionError as error:
            raise ImageRejected(f"access denied: {error}") from error
        except TimeoutError:
            raise FetchFailed(f"no complete object within {self._seconds:g} seconds") from None
        except Exception as error:  # each driver has errors of its own
            raise FetchFailed(f"{type(error).__name__}: {error}") from error

    def _read(self, scheme: str, path: str) -> bytes:
        store = fsspec.filesystem(scheme)
        size = store.info(path)["size"]
        if size > self._max_bytes:
            raise ImageRejected(f"{size} bytes; at most {self._max_bytes} are allowed")
        return bytes(store.cat_file(path, start=0, end=size)) if size else b""
