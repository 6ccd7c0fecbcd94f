"""`--sync` accepts a limit of missing products, and prints how many products it kept, marked and deleted. `--watch`
accepts an interval, and loads a changed feed again."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db.engine import Database
from db.errors import SettingsError
from loader.sync import MissingLimit, SyncOptions
from loader.watch import parse_interval, path_state, watch
from tests.support.loading import load_catalog
from tests.support.processes import COMMAND, wait_until, windowshop

REPOSITORY = Path(__file__).parents[3]
HEADER = "sku,title,price,availability\n"


def feed(path: Path, numbers: Any, title: str = "Title") -> Path:
    path.write_text(HEADER + "".join(f"{n},{title} {n},5,in_stock\n" for n in numbers))
    return path


def test_the_command_line_prints_the_numbers_of_kept_and_marked_and_deleted_products(
    databases: Any, template: str, environment: Callable[[Database], dict[str, str]], tmp_path: Path
):
    database = databases.copy(template)
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}
    feed(tmp_path / "feed.csv", range(10))
    assert windowshop("load", "feed.csv", "--sync", env=env, cwd=tmp_path).returncode == 0
    feed(tmp_path / "feed.csv", range(9))
    done = windowshop("load", "feed.csv", "--sync", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("sync: 9 kept, 1 marked out of stock, 0 deleted, 0 left as they were\n")
    feed(tmp_path / "feed.csv", range(2))
    done = windowshop("load", "feed.csv", "--sync", "--delete", env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert "error: --sync: feed.csv does not name 8 of 10 products" in done.stderr
    assert "--max-missing 8" in done.stderr
    for wrong in (["--delete"], ["--sync", "--max-missing", "101%"], ["--sync", "--limit", "3"], ["--watch", "soon"]):
        assert windowshop("load", "feed.csv", *wrong, env=env, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("written", "missing", "stored", "allowed"),
    [
        ("20%", 20, 100, True),
        ("20%", 21, 100, False),
        ("0%", 1, 100, False),
        ("0", 0, 0, True),
        ("2.5 %", 25, 1000, True),
        ("500", 500, 501, True),
        ("500", 501, 100_000, False),
    ],
)
def test_a_limit_of_missing_products_is_a_share_or_a_number(written: str, missing: int, stored: int, allowed: bool):
    assert MissingLimit.parse(written).allows(missing, stored) is allowed


@pytest.mark.parametrize("written", ["", "-1", "120%", "half", "1e3", "20%%"])
def test_a_limit_that_is_neither_a_share_nor_a_number_is_refused(written: str):
    with pytest.raises(SettingsError, match="neither a share nor a number"):
        MissingLimit.parse(written)


def test_an_interval_is_a_number_with_a_unit():
    assert [parse_interval(written) for written in ("30s", "15m", "2h", "1.5 d")] == [30, 900, 7200, 129_600]
    for wrong in ("", "15", "0s", "-1m", "soon"):
        with pytest.raises(SettingsError, match="is no interval"):
            parse_interval(wrong)


def test_the_option_watch_loads_a_changed_file_again_and_continues_after_a_failed_load(
    emptied_database: Database, tmp_path: Path
):
    path = feed(tmp_path / "feed.csv", range(10))
    said: list[str] = []

    def removed() -> None:
        path.unlink()

    steps = iter(
        [
            lambda: None,  # the file stays unchanged, so it is not loaded again
            lambda: feed(path, range(9)),
            removed,
            lambda: feed(path, range(3)),
            lambda: feed(path, range(9)),
        ]
    )

    def sleep(seconds: float) -> None:
        assert seconds == 60
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    with pytest.raises(KeyboardInterrupt):
        watch(
            lambda: load_catalog(emptied_database, path, sync=SyncOptions()),
            lambda: path_state(path),
            first=path_state(path),
            every=60,
            say=said.append,
            sleep=sleep,
        )
    assert [line.split("; sync: ")[-1] for line in said] == [
        "10 kept, 0 marked out of stock, 0 deleted, 0 left as they were",
        "9 kept, 1 marked out of stock, 0 deleted, 0 left as they were",
        f"error: cannot read {path}: No such file or directory",
        "3 kept, 0 marked out of stock, 0 deleted, 7 left as they were; --sync: feed.csv does not name 6 of 9 products "
        "of catalog main, more than --max-missing 20% allows; nothing was marked as out of stock",
        "9 kept, 0 marked out of stock, 0 deleted, 1 left as they were",
    ]
    assert all("\n" not in line for line in said)


def test_sigint_ends_a_watching_process_with_exit_code_0(
    databases: Any, template: str, environment: Callable[[Database], dict[str, str]], tmp_path: Path
):
    database = databases.copy(template)
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY)}
    feed(tmp_path / "feed.csv", range(3))
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*COMMAND, "load", "feed.csv", "--watch", "0.1s"], env=env, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: log.read_text().count("\n") == 1, 60, "the first load")
        feed(tmp_path / "feed.csv", range(4))
        wait_until(lambda: log.read_text().count("\n") == 2, 60, "the second load")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert "1 new, 0 changed, 3 unchanged" in log.read_text().splitlines()[1]
