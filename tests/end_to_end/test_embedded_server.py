"""`serve`, `encode` and `up` survive the end of their embedded server and a full disk."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from db.embedded import server
from db.engine import DATABASE, open_database
from db.lifecycle.serving import serve_model
from db.settings import Settings
from encoder.models.loading import load
from migrations.model_revisions import NewModel, add_model
from migrations.upgrade import upgrade
from tests.support.images import load_drawings
from tests.support.processes import Command, says, wait_until
from tests.support.servers.small_disk import filled, small_disk

pytestmark = pytest.mark.soak
MEGABYTES = 400
PROCESSES = pytest.mark.parametrize(
    ("arguments", "ready"),
    [
        (("serve", "--port", "0"), "Serving at"),
        (("encode",), "encoder is ready"),
        (("up", "--port", "0"), "encoder is ready"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)


@pytest.fixture(scope="module")
def disk(public_folder: Path) -> Iterator[Path]:
    with small_disk(public_folder / "disk", MEGABYTES) as path:
        yield path


@pytest.fixture(scope="module")
def home(disk: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a home folder on the small disk, with a database whose serving model is the tiny CLIP."""
    settings = Settings(home=disk / "home")
    with open_database(settings) as database:
        upgrade(database, settings)
        model = load(str(clip_folder))
        add_model(database, settings, NewModel("clip", model.source, model.revision, model.dimension))
        serve_model(database, "clip")
        load_drawings(database, tmp_path_factory.mktemp("images"), 20)
    return settings.home


@dataclass
class Site:
    """A running process. The test attaches to no server, so only the process can start the server again."""

    home: Path
    process: Command
    log: Path

    def sql(self, statement: str) -> list[Any]:
        running = server.status(self.home)
        password = server.secrets(self.home).superuser
        address = f"host=127.0.0.1 port={running.port or 1} user=postgres dbname={DATABASE}"
        with psycopg.connect(address, password=password, connect_timeout=2, autocommit=True) as conn:
            done = conn.execute(statement)  # type: ignore[call-overload]
            return list(done.fetchall()) if done.description else []

    def answers(self, statement: str = "select 1") -> bool:
        try:
            return bool(self.sql(statement))
        except psycopg.Error:
            return False

    def works(self) -> bool:
        """Returns whether the process does its work: a web service searches, and an encoder encodes a new text."""
        found = re.search(r"(?:Serving|search page is) at (http://[\d.:]+)", self.log.read_text())
        if found is not None:
            try:
                answer = httpx.post(f"{found[1]}/search/text", json={"query": "thing", "top_k": 3}, timeout=10)
            except httpx.HTTPError:
                return False
            if answer.status_code != 200 or not answer.json()["results"]:
                return False
        if "encoder is ready" in self.log.read_text():
            return self.answers(f"select shop.clip_text('asked at {time.monotonic_ns()}')")
        return True

    def check(self) -> None:
        assert self.process.poll() is None, self.log.read_text()
        assert "Traceback" not in self.log.read_text(), self.log.read_text()


@contextmanager
def running(home: Path, folder: Path, arguments: tuple[str, ...], ready: str) -> Iterator[Site]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")}
    own = {"WINDOWSHOP_HOME": str(home), "WINDOWSHOP_WEB_METRICS_PORT": "null", "WINDOWSHOP_ENCODER_DEVICE": "cpu"}
    log = folder / "log"
    process = Command(*arguments, env={**kept, **own, "HF_HUB_OFFLINE": "1"}, output=log, errors=log)
    site = Site(home, process, log)
    try:
        wait_until(lambda: says(log, ready) or process.poll() is not None, 120, "a ready process")
        assert process.poll() is None, log.read_text()
        wait_until(site.works, 60, "a process that works")
        yield site
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
        site_log = log.read_text()
        assert "Traceback" not in site_log, site_log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@PROCESSES
def test_a_killed_server_is_back_within_5_seconds(
    home: Path, tmp_path: Path, arguments: tuple[str, ...], ready: str
) -> None:
    with running(home, tmp_path, arguments, ready) as site:
        for _ in range(3):
            pid = server.status(home).pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            wait_until(
                lambda old=pid: server.status(home).pid not in (old, None) and site.answers(), 60, "a new server"
            )
            back = time.monotonic() - began
            wait_until(site.works, 60, "a process that works")
            print(f"\n{arguments[0]}: the server answered after {back:.1f} s, the process worked after "
                  f"{time.monotonic() - began:.1f} s")  # fmt: skip
            assert back < 5
            site.check()


@PROCESSES
def test_a_full_disk_causes_no_traceback_and_work_goes_on_when_there_is_space(
    home: Path, disk: Path, tmp_path: Path, arguments: tuple[str, ...], ready: str
) -> None:
    """First, the process runs while a statement finds no space on the disk. Then the test fills the disk and kills the
    server, again and again, until the server cannot start because the disk is full."""
    with running(home, tmp_path, arguments, ready) as site:
        with filled(disk) as fill:
            wait_until(lambda: not grows(site), 60, "a statement that fails")
            deadline = time.monotonic() + 60
            while "is full" not in site.log.read_text():
                assert time.monotonic() < deadline, site.log.read_text()
                pid = server.status(home).pid
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                fill()
                time.sleep(0.01)
            site.check()
        began = time.monotonic()
        wait_until(site.works, 120, "a process that works")
        print(f"\n{arguments[0]}: it worked {time.monotonic() - began:.1f} s after the disk had space")
        site.check()
        full = [line for line in site.log.read_text().splitlines() if "is full" in line]
        assert len(full) == 1, full
        site.sql("drop table if exists public.filler")


def grows(site: Site) -> bool:
    """Write two megabytes to a table. Returns whether the server has written them."""
    try:
        site.sql("create table if not exists public.filler (value text)")
        site.sql("insert into public.filler select repeat(md5(n::text), 60) from generate_series(1, 1000) n")
    except psycopg.Error:
        return False
    return True
