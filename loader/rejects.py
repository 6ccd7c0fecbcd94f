"""Writes the rejects file, which has a line `line,sku,reason` for each rejected row. A load without rejected rows
writes no file, and a load that fails leaves no half-written file."""

import csv
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from loader.errors import RejectsUnwritable

HEADER = ("line", "sku", "reason")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is not loaded, and the reason."""

    line: int
    sku: str  # "" if the SKU could not be read
    reason: str


class RejectsFile:
    """A context manager for the rejects file.

    The file is written under a temporary name in the folder of `path`. When the `with` block ends without an error, the
    file is renamed to `path`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: Reject | None = None
        self._file: IO[str] | None = None
        self._csv: Any = None

    def __enter__(self) -> "RejectsFile":
        folder = self.path.absolute().parent
        if self.path.is_dir() or not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            raise self._unwritable("is a folder" if self.path.is_dir() else "its folder cannot be written to")
        return self

    def add(self, reject: Reject) -> None:
        try:
            if self._file is None:
                self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed in __exit__
                    "w",
                    encoding="utf-8",
                    newline="",
                    dir=self.path.absolute().parent,
                    prefix=self.path.name,
                    delete=False,
                )
                self._csv = csv.writer(self._file)
                self._csv.writerow(HEADER)
            self._csv.writerow((reject.line, _cell(reject.sku[:200]), _cell(reject.reason)))
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        self.count += 1
        self.first = self.first or reject

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        written = Path(self._file.name)
        try:
            self._file.close()
            if kind is None:
                written.chmod(0o644)  # temporary files are readable by their owner only
                written.replace(self.path)
        except OSError as problem:
            raise self._unwritable(problem.strerror or str(problem)) from problem
        finally:
            written.unlink(missing_ok=True)

    def _unwritable(self, why: str) -> RejectsUnwritable:
        return RejectsUnwritable(
            f"cannot write the rejects file {self.path}: {why}", hint="Name another file with --rejects."
        )


def _cell(text: str) -> str:
    """Puts an apostrophe before a text that begins like a formula, because a spreadsheet would run that formula.
    Escapes unprintable characters."""
    shown = _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return "'" + shown if shown.startswith(("=", "+", "-", "@")) else shown
