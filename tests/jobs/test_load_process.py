"""A load that cannot start ends with a report. Loads also start on systems without prctl, the system call that lets a
load end together with its parent process."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from db.jobs.worker import Ended
from windowshop import jobs


def load(home: Path) -> Ended:
    return asyncio.run(jobs._load(home, "main", ["/feed.csv"], 60))


def test_a_load_whose_process_does_not_start_ends_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.write_text("a file")
    ended = load(home)
    assert (ended.exit_code, ended.may_succeed_later) == (1, False)
    assert "Not a directory" in ended.report and str(home) in ended.report
    missing = str(tmp_path / "missing")
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(platform=sys.platform, executable=missing))
    ended = load(tmp_path)
    assert ended.exit_code == 1 and missing in ended.report


def test_a_load_starts_where_the_system_has_no_prctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "sys", SimpleNamespace(platform="darwin", executable="/bin/echo"))
    monkeypatch.setattr(jobs, "ctypes", SimpleNamespace(CDLL=lambda _: object()))
    ended = load(tmp_path)
    assert ended.exit_code == 0 and "windowshop load /feed.csv" in ended.report
