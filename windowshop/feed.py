"""Finds the catalog file that `windowshop load` names: a path, a pipe, or a file at a web address."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


@dataclass(frozen=True, slots=True)
class Feed:
    path: Path
    # Returns a value that changes when the file changes. For a web address, first downloads the file. For a pipe,
    # copies its content to `path` and returns None.
    state: Callable[[], object]
    shown: str | None = None  # the name of the feed in messages; None means its path
    base_url: str | None = None  # the address at which relative addresses in a downloaded file start
    image_root: Path | None = None  # the folder at which image paths in a piped file start


@contextmanager
def located(written: str, *, is_watched: bool = False) -> Iterator[Feed]:
    """Yields the file or, for a pipe or a web address, a copy of the file. The copy is deleted when the context ends.

    Raises SettingsError for a pipe with `is_watched`, because a pipe can be read only once.
    """
    from db.errors import SettingsError
    from loader.piped_file import is_pipe, name_of
    from loader.watch import path_state

    # Only an address needs the import of an HTTP client, which takes longer than a load of a thousand rows.
    if "://" in written:
        from loader.remote_file import is_address

        if is_address(written):
            with _temporary_folder() as folder:
                yield from _downloaded(written, folder)
            return
    if is_pipe(written):
        if is_watched:
            raise SettingsError(f"--watch: {name_of(written)} can be read only once", hint="Give the path of a file.")
        with _temporary_folder() as folder:
            yield _copied(written, folder)
        return
    path = Path(written)
    yield Feed(path, lambda: path_state(path))


def _downloaded(address: str, folder: Path) -> Iterator[Feed]:
    from loader.remote_file import RemoteFile
    from loader.settings import FeedSettings
    from windowshop.output.progress import progress_bar

    remote = RemoteFile(address, FeedSettings.read(), folder)

    def refresh() -> object:
        with progress_bar(f"Downloading {remote.path.name}") as bar:
            return remote.refresh(bar.update)

    try:
        yield Feed(remote.path, refresh, remote.shown, remote.base_url)
    finally:
        remote.close()


def _copied(written: str, folder: Path) -> Feed:
    from loader.piped_file import PipedFile
    from loader.settings import FeedSettings
    from windowshop.output.progress import progress_bar

    piped = PipedFile(written, folder, FeedSettings.read().max_bytes)

    def copy() -> None:
        with progress_bar(f"Reading {piped.shown}") as bar:
            piped.copy(bar.update)

    return Feed(piped.path, copy, piped.shown, image_root=Path.cwd())


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="windowshop-") as folder:
        # A supervisor stops a command with SIGTERM. Without this handler, the temporary folder would remain.
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            yield Path(folder)
        finally:
            signal.signal(signal.SIGTERM, before)
