"""The first process that attaches starts the embedded server, and the last process stops the server. If the last
process is killed, a reaper process stops the server. The server is durable and local, and needs a password."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from db.embedded import cluster, file_lock, server
from db.embedded.server import Server
from db.errors import EmbeddedServerError
from tests.support.processes import in_child


def superuser(running: Server, home: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(running.url("postgres", server.secrets(home).superuser, "postgres"))


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def soon(happens: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happens()


def reaper_of(home: Path) -> int | None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"reap" in words and str(home).encode() in words:
            return int(path.parent.name)
    return None


def test_the_first_start_creates_a_database_and_the_next_start_uses_it(folder: Path) -> None:
    home, steps = folder / f"first-{time.monotonic_ns()}", list[str]()  # a new home folder, also if the test runs again
    with server.attach(home, steps.append) as running:
        assert len(steps) == 3
        assert server.status(home).version == "18.6"
        with superuser(running, home) as connection:
            connection.execute("create table kept as select 42 as answer")
    assert not server.status(home).running
    steps.clear()
    with server.attach(home, steps.append) as running, superuser(running, home) as connection:
        assert len(steps) == 1
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_the_server_is_durable_and_local_and_uses_the_builtin_locale(home: Path) -> None:
    with server.attach(home) as running, superuser(running, home) as connection:

        def shown(name: str) -> object:
            row = connection.execute("select current_setting(%s)", [name]).fetchone()
            return row and row[0]

        assert shown("fsync") == "on"
        assert shown("data_checksums") == "on"
        assert shown("listen_addresses") == "127.0.0.1"
        assert shown("unix_socket_directories") == ""
        assert shown("server_encoding") == "UTF8"
        locale = "select datlocprovider, datlocale from pg_database where datname = 'template1'"
        assert connection.execute(locale).fetchone() == ("b", "C.UTF-8")
        connection.execute("create extension vector; create extension dblink; create extension pg_trgm")
        letters = connection.execute("select 'ü' ~ '\\w', cardinality(show_trgm('ü')) > 0").fetchone()
        assert letters == (True, True)
        connection.rollback()


def test_a_login_needs_the_password(home: Path) -> None:
    with server.attach(home) as running:
        for password in ("wrong", ""):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(running.url("postgres", password, "postgres"))
        with superuser(running, home) as connection:
            methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]


def test_attached_processes_share_a_server_and_the_last_process_stops_it(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    first, second = attached_process(home), attached_process(home)
    assert port_of(first) == port_of(second)
    assert set(server.status(home).attached or ()) == {first.pid, second.pid}
    first.communicate(timeout=60)
    assert server.status(home).running
    second.communicate(timeout=20)
    assert not cluster.running(home)


def test_two_processes_that_attach_to_a_new_home_at_once_share_one_server(
    new_home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    first, second = attached_process(new_home), attached_process(new_home)
    assert port_of(first) == port_of(second)


@pytest.mark.soak
def test_a_killed_process_leaves_no_server_running_and_no_lock(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = attached_process(home)
    port_of(process)
    process.kill()
    assert soon(lambda: not cluster.running(home))
    # Attach before the reaper stops the server, while it stops the server, and afterwards.
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2):
        process = attached_process(home)
        port_of(process)
        process.kill()
        time.sleep(pause)
        with server.attach(home) as running, superuser(running, home) as connection:
            time.sleep(0.15)
            assert connection.execute("select 1").fetchone() == (1,)
        assert not cluster.running(home)
    assert soon(lambda: not file_lock.is_held(home / "reaper.lock"))


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="the test finds the reaper in /proc")
@pytest.mark.soak
def test_a_killed_reaper_is_replaced_by_the_next_process_that_attaches(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = attached_process(home)
    port_of(process)
    assert soon(lambda: reaper_of(home) is not None)
    reaper = reaper_of(home)
    assert reaper is not None
    os.kill(reaper, signal.SIGKILL)
    assert soon(lambda: not file_lock.is_held(home / "reaper.lock"))
    other = attached_process(home)
    port_of(other)
    other.kill()
    process.kill()
    assert soon(lambda: not cluster.running(home))


def test_a_server_started_with_start_runs_until_stop_is_called(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    running = server.start(home)
    with server.attach(home) as same:
        assert same == running
    process = attached_process(home)
    port_of(process)
    process.kill()
    process.wait()
    time.sleep(0.5)
    status = server.status(home)
    assert status.running and status.kept and status.port == running.port and status.attached == ()
    assert server.stop(home)
    assert not server.status(home).running
    assert not server.status(home).kept
    assert not server.stop(home)


def test_the_next_process_that_attaches_restarts_a_crashed_server(home: Path) -> None:
    server.start(home)
    pid = server.status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert soon(lambda: server.status(home).pid is None)
    with server.attach(home) as running, superuser(running, home) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert server.status(home).running


def test_only_a_forced_stop_ends_a_server_that_is_in_use(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = attached_process(home)
    port_of(process)
    with pytest.raises(EmbeddedServerError, match=str(process.pid)) as refused:
        server.stop(home)
    assert refused.value.hint
    assert server.status(home).running
    assert server.stop(home, force=True)
    assert not server.status(home).running


def test_a_server_whose_port_is_taken_chooses_another_port_and_keeps_the_new_port(home: Path) -> None:
    with server.attach(home) as running:
        before = running.port
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", before))
        squatter.listen()
        with server.attach(home) as running:
            after = running.port
    assert after != before
    with server.attach(home) as running:
        assert running.port == after


def test_a_leftover_pid_file_with_the_id_of_another_live_process_is_ignored(home: Path) -> None:
    leftover = home / "data" / "postmaster.pid"
    leftover.write_text(f"{os.getpid()}\n{home / 'data'}\n0\n5433\n\n127.0.0.1\n\nready   \n")
    assert not server.status(home).running
    with server.attach(home) as running, superuser(running, home) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_forked_child_neither_ends_nor_prolongs_the_attachment_of_its_parent(home: Path) -> None:
    attachment = server.attach(home)
    attachment.__enter__()
    assert in_child(lambda: attachment.__exit__(None, None, None)) == 0
    assert server.status(home).running
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        attachment.__exit__(None, None, None)
        assert not cluster.running(home)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
