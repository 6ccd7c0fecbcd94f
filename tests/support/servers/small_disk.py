"""Mounts a small disk that a test can fill."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk at the new folder `path`. Skip the test if the user may not mount a disk. Usually only root may."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[Callable[[], None]]:
    """Fill the free space of the disk until the context ends. Yields a function that fills the space that has become
    free since then."""
    filler = disk / "filler"

    def fill() -> None:
        for size in (2**20, 4096):
            with suppress(OSError), filler.open("ab", buffering=0) as file:
                while file.write(bytes(size)):
                    pass

    try:
        fill()
        yield fill
    finally:
        filler.unlink()
