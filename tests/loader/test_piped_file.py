"""`windowshop load -` reads a file of any format from a pipe and loads the same products as from the file."""

import gzip
import os
import subprocess
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from db.engine import Database
from loader.errors import SourceUnreadable
from loader.piped_file import PipedFile, is_pipe
from loader.sources import open_source
from tests.support.loading import stored
from tests.support.processes import COMMAND

FIXTURES = Path(__file__).parent / "fixtures"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def env(database: Database, environment: Callable[[Database], dict[str, str]]) -> dict[str, str]:
    return {**environment(database), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}


def load_from_pipe(*arguments: str, content: bytes, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, "load", *arguments], input=content, capture_output=True, env=env, cwd=cwd, check=False, timeout=120
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_standard_input_is_loaded_and_its_rejects_are_listed(
    env: dict[str, str], database: Database, tmp_path: Path
):
    (tmp_path / "a.jpg").write_bytes(b"")
    rows = b'1,Red bag,"1.290 EUR",a.jpg\n,Nameless,,\n2,Blue bag,"12,90 EUR",\n'
    done = load_from_pipe("-", content=b"sku,title,price,image\n" + rows, env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert "3 rows of standard input (delimited), catalog main: 2 new" in done.stdout
    assert "not on this disk" not in done.stderr  # an image path is relative to the current folder
    products = stored(database)
    assert (products["1"]["price"], products["1"]["images"]) == (1290, ["a.jpg"])
    assert "sku is empty" in (tmp_path / "stdin.rejects.csv").read_text()
    assert not list(Path(env.get("TMPDIR", "/tmp")).glob("windowshop-*/stdin"))


def test_dev_stdin_is_read_and_a_watched_pipe_is_refused(env: dict[str, str], database: Database, tmp_path: Path):
    content = gzip.compress((FIXTURES / "merchant.xml").read_bytes())
    done = load_from_pipe("/dev/stdin", "--dry-run", content=content, env=env, cwd=tmp_path)
    assert "rows of /dev/stdin (merchant)" in done.stdout, done.stderr
    done = load_from_pipe("-", "--watch", "1s", content=b"", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert "--watch: standard input can be read only once" in done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_a_pipe_gives_the_rows_of_its_file_in_every_format(name: str, tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert is_pipe(str(pipe))
    (tmp_path / "copy").mkdir()
    piped = PipedFile(str(pipe), tmp_path / "copy", 1 << 20)
    writer = threading.Thread(target=lambda: pipe.write_bytes((FIXTURES / name).read_bytes()))
    writer.start()
    piped.copy()
    writer.join()
    found, expected = (open_source(path) for path in (piped.path, FIXTURES / name))
    assert (found.name, list(found.rows())) == (expected.name, list(expected.rows()))


def test_a_pipe_is_copied_in_bounded_memory_and_up_to_a_limit(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "copy").mkdir()
    size = 32 << 20

    def write() -> None:
        with pipe.open("wb") as file:
            for _ in range(size >> 20):
                file.write(b"x" * (1 << 20))

    writer = threading.Thread(target=write)
    writer.start()
    tracemalloc.start()
    try:
        PipedFile(str(pipe), tmp_path / "copy", size).copy()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    writer.join()
    assert (tmp_path / "copy" / "pipe").stat().st_size == size

    writer = threading.Thread(target=lambda: pipe.write_bytes(b"sku,title\n"))
    writer.start()
    with pytest.raises(SourceUnreadable, match="pipe has more than 9 bytes"):
        PipedFile(str(pipe), tmp_path / "copy", 9).copy()
    writer.join()


def test_folders_files_and_missing_paths_are_no_pipes(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title\n1,a\n")
    assert [is_pipe(str(path)) for path in (tmp_path, tmp_path / "goods.csv", tmp_path / "missing")] == [False] * 3
    assert not is_pipe("a\0b")
