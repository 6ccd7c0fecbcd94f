"""Identifies the code that a benchmark has measured, by the commit and by a digest of the measured files.

The digest decides whether a result is stale. The digest needs no git history, and does not change with a commit that
changes only other files.
"""

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUFFIXES = {".py", ".sql"}


def revision() -> str | None:
    """Returns the commit that is checked out, or None outside a git checkout or without git."""
    try:
        asked = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return asked.stdout.strip() or None


def digest(paths: Sequence[str], root: Path = ROOT) -> str:
    """Returns a hash of the names and contents of `paths`, which are files or folders below `root`. In a folder, only
    the Python and SQL files count. A file that `paths` names itself counts with any suffix."""
    found = hashlib.sha256()
    for file in sorted({file for path in paths for file in _files(root / path)}):
        found.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (file for file in path.rglob("*") if file.suffix in SUFFIXES)
    else:
        raise FileNotFoundError(path)
