"""Runs the embedded PostgreSQL server while a process uses it.

    with attach(home) as server:    starts the server if needed; the last process to leave stops the server
    start(home), stop(home)         `windowshop db start` and `stop`: the server runs from `start` until `stop`

File locks show which processes use the server. The kernel releases the locks of a killed process. The locks are:

    start.lock    exclusive, while a process attaches to the server, leaves it, starts it or stops it
    users.lock    shared, as long as a process is attached; only a process that holds start.lock checks this lock
    bell.lock     shared, as long as a process is attached; the reaper sleeps until this lock is free
    reaper.lock   exclusive, as long as the reaper lives
    server.lock   exclusive, as long as any process of the server lives

The reaper is a detached process. Usually it does nothing, because the last process to leave stops the server. If that
process was killed, the free bell.lock wakes the reaper, which takes start.lock and stops the server unless another
process has attached. While the file `<home>/keep` exists, neither the last process nor the reaper stops the server.

Each attached process watches the server and starts an ended server again (`_watched`). While the file `<home>/stopped`
exists, no process does this. `stop` writes the file, and the next `attach` or `start` deletes it.
"""

import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from db.embedded import binaries, cluster, file_lock
from db.embedded.binaries import Progress
from db.embedded.cluster import HOST
from db.embedded.file_lock import FileLock
from db.embedded.passwords import Secrets
from db.errors import EmbeddedServerError

START_LOCK_TIMEOUT = 180.0  # seconds; longer than a first start on a slow disk
LEAVE_TIMEOUT = 10.0  # seconds that a process waits for its locks, or that the last process waits for the server's end
STOP_TIMEOUT = 60.0  # seconds that `stop` waits for the server's end
WATCH_SECONDS = 1.0  # time between two checks whether the server still runs
MAX_WATCH_SECONDS = 30.0  # the longest time between two checks; each failed start doubles the time


@dataclass(frozen=True)
class Server:
    """A running server."""

    host: str
    port: int
    data: Path

    def url(self, user: str, password: str, database: str = "windowshop") -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{login}@{self.host}:{self.port}/{quote(database, safe='')}"


@dataclass(frozen=True)
class Status:
    running: bool
    kept: bool  # started with `windowshop db start`: runs even when no process uses it
    data: Path
    pid: int | None
    port: int | None  # the port of the server; if it does not run, its last port
    version: str | None  # the version of PostgreSQL; None before the first start
    attached: tuple[int, ...] | None  # ids of the processes that use the server; None if the system has no /proc/locks


def _quiet(_: str) -> None:
    pass


@contextmanager
def attach(home: Path, on_progress: Progress = _quiet) -> Iterator[Server]:
    """Use the server, and start it if needed. Unless `start` keeps it, the last process to leave stops the server."""
    home = home.absolute()
    server, user = _enter(home, on_progress, keep=False)
    try:
        with _watched(home, server.port, on_progress):
            yield server
    finally:
        user.leave()


@contextmanager
def _watched(home: Path, port: int, on_progress: Progress) -> Iterator[None]:
    """If the server ends, start it again, if possible at the same port. If the server runs at another port, report
    this, because this process still uses the old port."""
    left = threading.Event()
    reported: set[str] = set()

    def report(text: str) -> None:
        """Report a text, but only once until the server runs again. Texts that differ only in numbers count as one."""
        key = re.sub("[0-9]+", "", text)
        if key not in reported:
            reported.add(key)
            with suppress(OSError):  # for example, the terminal is gone
                on_progress(text)

    def check() -> bool:
        """Start the server if it has ended. Returns False if the server cannot be started."""
        try:
            stopped = (home / "stopped").exists()
            if not stopped and (not cluster.running(home) or cluster.orphaned(home)):
                with _translated(home), _start_lock(home):
                    # While this process waited for the lock, another process may have started the server.
                    ended = not cluster.running(home) or cluster.orphaned(home)
                    if ended and not left.is_set() and not (home / "stopped").exists():
                        report("PostgreSQL has ended and is started again")
                        cluster.ensure_running(home, _quiet)
            elif (now := cluster.persisted_port(home)) != port:
                report(f"PostgreSQL runs at port {now}, because port {port} was taken: start this command again")
            else:
                reported.clear()
            return True
        except EmbeddedServerError as error:
            report(f"PostgreSQL cannot be started again: {error.message} {error.hint or ''}".rstrip())
        except (OSError, subprocess.SubprocessError) as error:
            report(f"PostgreSQL cannot be started again: {error}")
        return False

    def watch() -> None:
        pause = WATCH_SECONDS
        while not left.wait(pause):
            pause = WATCH_SECONDS if check() else min(2 * pause, MAX_WATCH_SECONDS)

    thread = threading.Thread(target=watch, name="embedded server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join(LEAVE_TIMEOUT)


def start(home: Path, on_progress: Progress = _quiet) -> Server:
    """Start the server unless it runs, and keep it running until `stop`."""
    server, user = _enter(home.absolute(), on_progress, keep=True)
    user.leave()
    return server


def stop(home: Path, *, force: bool = False) -> bool:
    """Stop the server. Returns whether it was running.

    Raises EmbeddedServerError if the server cannot be stopped. Without `force`, also raises it if other processes use
    the server.
    """
    home = home.absolute()
    if not home.exists():
        return False
    with _translated(home), _start_lock(home):
        was_running = cluster.running(home)
        if was_running and not force and file_lock.is_held(home / "users.lock", shared=True):
            users = ", ".join(map(str, _attached(home) or ())) or "unknown"
            raise EmbeddedServerError(
                f"Other processes use the embedded server (process ids: {users}).",
                hint="End these processes first, or use --force, which breaks their connections.",
            )
        (home / "keep").unlink(missing_ok=True)
        (home / "stopped").touch()
        if not cluster.halt(home, STOP_TIMEOUT):
            raise EmbeddedServerError(
                f"The embedded server did not stop within {STOP_TIMEOUT:.0f} s.",
                hint="The server is still shutting down; windowshop db status shows when it has stopped.",
            )
        return was_running


def status(home: Path) -> Status:
    """Return the state of the server. The function does not wait for a lock and changes nothing."""
    home = home.absolute()
    with _translated(home):
        state = cluster.postmaster(home) if cluster.running(home) else None
        return Status(
            running=state is not None,
            kept=(home / "keep").exists(),
            data=home / "data",
            pid=state.pid if state else None,
            port=state.port if state else cluster.persisted_port(home),
            version=binaries.server_version(home),
            attached=_attached(home),
        )


def secrets(home: Path) -> Secrets:
    """Return the passwords of the server's roles. A role's password is created on first use."""
    home = home.absolute()
    with _translated(home):
        _make_home(home)
    return Secrets(home)


def binary(home: Path, name: str) -> tuple[Path, dict[str, str]]:
    """Return the path of a PostgreSQL program such as psql, and the variables that it needs. Raises EmbeddedServerError
    if the program is not unpacked yet."""
    folder = binaries.unpacked(home.absolute())
    if folder is None or not (folder / "bin" / name).exists():
        raise EmbeddedServerError(
            f"{name} is not unpacked below {home}.", hint="windowshop db start unpacks PostgreSQL's programs."
        )
    return folder / "bin" / name, {"LD_LIBRARY_PATH": str(folder / "lib")}


class _User:
    """An attachment of this process to the server: two shared locks, held until `leave` or the end of the process."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._locks: list[FileLock] = []
        for name in ("users.lock", "bell.lock"):
            lock = file_lock.acquire(home / name, shared=True, wait=LEAVE_TIMEOUT)
            if lock is None:
                self.drop()
                raise EmbeddedServerError(f"Another process keeps {home / name} locked.")
            self._locks.append(lock)

    def drop(self) -> bool:
        """Release the locks. Returns False if this process no longer holds them, or is a forked child of the holder."""
        released = [lock.release() for lock in self._locks]
        return all(released)

    def leave(self) -> None:
        # An error while the server stops is suppressed, because the error must not hide an error of the caller. In this
        # case the reaper stops the server.
        try:
            with suppress(EmbeddedServerError, OSError), _start_lock(self._home, LEAVE_TIMEOUT):
                if self.drop() and _unused(self._home):
                    cluster.halt(self._home, LEAVE_TIMEOUT)
        finally:
            self.drop()


def _enter(home: Path, on_progress: Progress, *, keep: bool) -> tuple[Server, _User]:
    with _translated(home):
        _make_home(home)
        with _start_lock(home):
            user = _User(home)
            try:
                if not (home / "keep").exists():
                    # The reaper is started before the server, so that it can stop the server if this process is killed.
                    _ensure_reaper(home)
                (home / "stopped").unlink(missing_ok=True)
                port = cluster.ensure_running(home, on_progress)
                if keep:
                    (home / "keep").touch()
            except BaseException:
                user.drop()
                raise
    return Server(HOST, port, home / "data"), user


def _unused(home: Path) -> bool:
    return not file_lock.is_held(home / "users.lock", shared=True) and not (home / "keep").exists()


def _ensure_reaper(home: Path) -> None:
    lock = file_lock.acquire(home / "reaper.lock")
    if lock is None:
        return
    reaper = [sys.executable, "-m", "db.embedded.server", "reap", str(home), str(lock.fd)]
    try:
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *reaper],  # the shell starts the reaper and ends: no zombie stays
            cwd=Path(__file__).parents[2],
            pass_fds=[lock.fd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=10,
        )
    finally:
        lock.hand_over()


def reap(home: Path, own_lock: FileLock) -> None:
    """Wait until no process is attached. Then stop the server, unless the file `<home>/keep` exists."""
    while True:
        bell = file_lock.acquire(home / "bell.lock", wait=None)
        if bell is not None:
            bell.release()
        with _start_lock(home, wait=None):
            if not file_lock.is_held(home / "users.lock", shared=True):
                if _unused(home) and not cluster.halt(home, STOP_TIMEOUT):
                    cluster.halt(home, STOP_TIMEOUT, signal.SIGQUIT)
                own_lock.release()  # released before start.lock, so that the next process starts a new reaper
                return
        time.sleep(file_lock.POLL_SECONDS)


def _make_home(home: Path) -> None:
    if not home.exists():
        home.mkdir(parents=True)
        home.chmod(0o755 if os.geteuid() == 0 else 0o700)


@contextmanager
def _start_lock(home: Path, wait: float | None = START_LOCK_TIMEOUT) -> Iterator[None]:
    lock = file_lock.acquire(home / "start.lock", wait=wait)
    if lock is None:
        raise EmbeddedServerError(
            f"Another process has been starting or stopping the server for more than {wait} s.",
            hint=f"The server's log is in {home / 'data' / 'log'}.",
        )
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _translated(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise cluster.full_disk(home) from error
        raise EmbeddedServerError(
            f"The embedded server cannot use {error.filename or home}: {error.strerror or error}",
            hint=f"Run windowshop as the user who owns {home}, or set WINDOWSHOP_HOME to a folder of yours.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerError(f"The embedded server is stuck: {error}") from error


def _attached(home: Path) -> tuple[int, ...] | None:
    """Return the ids of the attached processes, or None on a system without /proc/locks.

    The ids are in lines of /proc/locks like `4: FLOCK ADVISORY READ 812 fe:01:6291 0 EOF`.
    """
    try:
        inode = (home / "users.lock").stat().st_ino
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return None if (home / "users.lock").exists() else ()
    return tuple(sorted({int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rsplit(":", 1)[1] == str(inode)}))


if __name__ == "__main__":
    reap(Path(sys.argv[2]), FileLock(int(sys.argv[3])))
