"""Fixtures provide homes of embedded servers. A home is a temporary folder with the server's programs and,
after the first start, its data."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.embedded import server

ROOT = Path(__file__).parents[3]
ATTACH = """
import sys
from pathlib import Path
from db.embedded.server import attach
with attach(Path(sys.argv[1])) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Yields a temporary folder that the server's operating system user can read. That user cannot read tmp_path."""
    path = Path(tempfile.mkdtemp(prefix="embedded-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def ready_home(folder: Path) -> Iterator[Path]:
    """Yields a home folder with programs and a database. All tests of a module share this folder. The fixture `home`
    stops the server after each test."""
    home = folder / "ready"
    with server.attach(home):
        pass
    yield home
    server.stop(home, force=True)


@pytest.fixture
def home(ready_home: Path) -> Iterator[Path]:
    yield ready_home
    server.stop(ready_home, force=True)


@pytest.fixture
def new_home(folder: Path, ready_home: Path) -> Iterator[Path]:
    """Yields a home folder with programs but without a database."""
    path = Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    path.chmod(0o755)
    hardlink(ready_home / "postgres", path / "postgres")
    yield path
    server.stop(path, force=True)


@pytest.fixture
def attached_process(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Yields a function that starts a process. The process attaches to the server of a home folder, prints the port and
    waits until its input is closed."""
    processes: list[subprocess.Popen[str]] = []

    def launch(home: Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", ATTACH, str(home)]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True))
        return processes[-1]

    yield launch
    for process in processes:
        process.kill()
        process.communicate()


def hardlink(folder: Path, to: Path) -> None:
    shutil.copytree(folder, to, symlinks=True, copy_function=os.link)
