"""Copies a catalog from a pipe into a temporary file.

A load may read its file several times: to recognise the format, to find empty columns, and to decide ambiguous prices
and dates. A pipe can be read only once. With a copy, a pipe gives the same products as a file, in every format.
"""

import stat
from collections.abc import Callable
from pathlib import Path

from loader.errors import SourceUnreadable
from loader.sources.reading.catalog_file import BUFFER

STANDARD_INPUT = "-"
Progress = Callable[[int, int | None], None]  # bytes copied so far, and None, because the size of a pipe is not known


def is_pipe(written: str) -> bool:
    """Returns whether `written` is "-", for the standard input, or the path of a pipe, such as `/dev/fd/63`."""
    try:
        return written == STANDARD_INPUT or stat.S_ISFIFO(Path(written).stat().st_mode)
    except (OSError, ValueError):
        return False  # the error is reported when the file is opened


def name_of(written: str) -> str:
    """Returns the name that messages show for the pipe."""
    return "standard input" if written == STANDARD_INPUT else written


class PipedFile:
    """A pipe. `path` is the path of its copy in `folder`. `copy` creates the copy."""

    def __init__(self, written: str, folder: Path, max_bytes: int) -> None:
        self.shown = name_of(written)
        self.path = folder / ("stdin" if written == STANDARD_INPUT else Path(written).name)
        self._pipe = 0 if written == STANDARD_INPUT else written
        self._max_bytes = max_bytes

    def copy(self, on_progress: Progress = lambda done, size: None) -> None:
        """Copies the pipe until its writer closes it. Raises SourceUnreadable if this fails, or if the pipe has more
        than `max_bytes` bytes."""
        copied = 0
        try:
            with open(self._pipe, "rb", BUFFER, closefd=self._pipe != 0) as pipe, self.path.open("wb") as copy:
                while piece := pipe.read(BUFFER):
                    copied += len(piece)
                    if copied > self._max_bytes:
                        raise SourceUnreadable(
                            f"{self.shown} has more than {self._max_bytes:,} bytes",
                            hint="WINDOWSHOP_FEED_MAX_BYTES sets the largest size.",
                        )
                    copy.write(piece)
                    on_progress(copied, None)
        except OSError as error:
            raise SourceUnreadable(
                f"cannot copy {self.shown} to {self.path.parent}: {error.strerror or error}",
                hint="Write the catalog into the pipe. Set TMPDIR to another folder for temporary files.",
            ) from error
