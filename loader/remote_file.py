"""Downloads a catalog file from a web address. A repeated download ends early if the server says that the file has not
changed.

The address is trusted, because it comes from a person who may run commands. The host may therefore be in a private
network, and any port is allowed. If the server redirects to another host, the new address is checked like the address
of an image. Messages show the address without the query string, because shops put secret keys there.
"""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpx2

from db.errors import SettingsError
from db.fetching.fetcher import Downloaded, Fetcher
from db.fetching.limits import FetchLimits
from db.images.errors import FetchFailed, ImageRejected
from loader.errors import SourceUnreadable
from loader.settings import FeedSettings

HINT = (
    "Open the address in a browser. To log in, set WINDOWSHOP_FEED_USER and WINDOWSHOP_FEED_PASSWORD, or "
    "WINDOWSHOP_FEED_TOKEN. WINDOWSHOP_FEED_MAX_BYTES sets the largest size."
)
MAX_NAME_BYTES = 200  # limit of the copy's name; files beside it add an ending, and a file system allows 255 bytes
Progress = Callable[[int, int | None], None]  # bytes downloaded so far, and the size of the file if the server gives it


def is_address(written: str) -> bool:
    """Returns whether the text is a web address and not a path. Raises SettingsError for an address of another scheme,
    such as ftp://host/file, and for http: or https: without the two slashes."""
    scheme, separator, _ = written.strip().partition("://")
    if re.match(r"\s*https?:(?!//)", written, re.IGNORECASE):
        raise SettingsError("a web address begins with https:// or http://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return False
    if scheme.lower() not in ("http", "https"):
        raise SettingsError(
            f"a catalog file cannot be loaded from an address that begins with {scheme.lower()}://",
            hint="Give an http or https address, or the path of a file.",
        )
    return True


class RemoteFile:
    """A catalog file at a web address. `path` is the path of its copy in `folder`. `refresh` creates the copy.

    Raises SettingsError for an address that is not valid, or that contains a user name or password.
    """

    def __init__(self, address: str, settings: FeedSettings, folder: Path) -> None:
        try:
            parts, url = urlsplit(address.strip()), httpx2.URL(address.strip())
        except (httpx2.InvalidURL, ValueError):  # the error may show a password, so it is not shown
            raise SettingsError("the given text is not a valid web address") from None
        if "@" in parts.netloc:
            raise SettingsError(
                "an address must not contain a user name or password, because other users of the machine could see "
                "them",
                hint="Set WINDOWSHOP_FEED_USER and WINDOWSHOP_FEED_PASSWORD, or WINDOWSHOP_FEED_TOKEN.",
            )
        if not url.host:
            raise SettingsError("this is not a web address: it names no host")
        self.shown = f"{parts.scheme.lower()}://{parts.netloc}{parts.path}"
        self.base_url = urljoin(self.shown, ".")  # relative addresses in the file are resolved against this address
        self.path = folder / _file_name(parts.path)
        self._address = address.strip()
        self._secret = settings.authorization()
        self._newest: Downloaded | None = None
        self._digest = ""
        self._fetcher = Fetcher(
            FetchLimits(
                max_bytes=settings.max_bytes,
                seconds=settings.seconds,
                stall=settings.stall_seconds,
                attempts=settings.attempts,
                connections=1,
                hosts=[url.raw_host.decode("ascii").lower()],
                ports=[url.port] if url.port else [],
                settings=None,
            )
        )

    def refresh(self, on_progress: Progress = lambda done, size: None) -> str:
        """Download the file, unless the server says that the copy is current. Returns the SHA-256 of the file.

        If the download fails, raises SourceUnreadable and keeps the previous copy.
        """
        part = self.path.with_name(f"{self.path.name}.part")
        try:
            # A cleaner of temporary files may have deleted the folder.
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            is_here = self.path.exists()
            newest = self._newest if is_here else None
            with part.open("w+b") as file:
                done = self._fetcher.download(
                    self._address, file, secret=self._secret, newest=newest, on_progress=on_progress
                )
                if done is not None:
                    file.seek(0)
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            if done is not None:
                if digest != self._digest or not is_here:
                    part.replace(self.path)
                self._newest, self._digest = done, digest
            return self._digest
        except FetchFailed as error:
            raise SourceUnreadable(f"cannot download {self.shown}: {error.message}", hint="Try again later.") from error
        except ImageRejected as error:
            raise SourceUnreadable(f"cannot download {self.shown}: {error.message}", hint=HINT) from error
        except OSError as error:
            raise SourceUnreadable(
                f"cannot store {self.shown} in {self.path.parent}: {error.strerror or error}",
                hint="Set TMPDIR to another folder for temporary files.",
            ) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def close(self) -> None:
        self._fetcher.close()


def _file_name(path: str) -> str:
    """Returns the name of the copy. The name of the rejects file is derived from this name."""
    name = re.sub(r"[^\w.-]", "_", unquote(path).rstrip("/").rpartition("/")[2])
    return name.encode()[-MAX_NAME_BYTES:].decode(errors="ignore").lstrip(".-") or "feed"
