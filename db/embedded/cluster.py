"""Creates, starts and stops the PostgreSQL cluster below a home folder. `server.py` decides when to start and to stop.

Every function that changes something expects its caller to hold the start lock. The kernel knows whether the server
runs: the server's processes inherit an exclusive lock on `server.lock`. A stale postmaster.pid, which a crash or a
reboot leaves behind, therefore does no harm.
"""

import errno
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from db.embedded import binaries, file_lock, processes
from db.embedded.binaries import Progress, as_user, environment
from db.embedded.passwords import SUPERUSER, Secrets
from db.errors import EmbeddedServerError

HOST = "127.0.0.1"
PORTS = range(5433, 5500)  # tried if the last port is unknown or not free; below the ports of outgoing connections
PORT_ATTEMPTS = 5  # a start fails if the server could not bind this many ports that looked free
INITDB_TIMEOUT = 120.0  # seconds
READY_TIMEOUT = 60.0  # seconds until the server accepts connections, including recovery after a crash
FULL_BYTES = 1 << 20  # a disk with less free space counts as full
SHARED_MEMORY_NEEDED = 1 << 30  # bytes; if /dev/shm is smaller, the server uses memory-mapped files instead

CONFIGURATION = """\
# windowshop writes this file at each start. Change settings with ALTER SYSTEM, which takes precedence over this file.
listen_addresses = '{host}'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = '256MB'
maintenance_work_mem = '512MB'
dynamic_shared_memory_type = '{shared_memory}'
shared_preload_libraries = ''
fsync = on
wal_level = replica
max_wal_senders = 4
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'  # one file for each weekday, which is emptied a week later
log_file_mode = 0600
log_rotation_age = '1d'
log_rotation_size = 0
log_truncate_on_rotation = on
# Texts and images of queries are part of statements, parameters and details, and stay out of the log.
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
"""


def create(home: Path, programs: Path, on_progress: Progress) -> None:
    """Create the data folder with initdb, unless the folder exists. The folder appears complete or not at all."""
    data, user = home / "data", binaries.server_user()
    if data.exists():
        owner = data.stat().st_uid
        if owner != user.pw_uid:
            raise EmbeddedServerError(
                f"{data} belongs to user id {owner}, but the server would run as {user.pw_name}.",
                hint="Run windowshop as the user who created it, or set WINDOWSHOP_HOME to another folder.",
            )
        return
    on_progress("Creating the database")
    binaries.require_reachable(home, user)
    for leftover in home.glob(".data-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    password = Secrets(home).superuser
    with TemporaryDirectory(prefix=".data-", dir=home) as name:
        staging = Path(name)
        (staging / "password").write_text(password)
        if os.geteuid() == 0:
            for path in (staging, staging / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        _initdb(staging, programs, user)
        with (staging / "data" / "postgresql.conf").open("a") as file:
            file.write("\ninclude '../server.conf'\n")
        (staging / "data").rename(data)


def _initdb(staging: Path, programs: Path, user: pwd.struct_passwd) -> None:
    command = [
        str(programs / "bin" / "initdb"),
        f"--pgdata={staging / 'data'}",
        f"--username={SUPERUSER}",
        f"--pwfile={staging / 'password'}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # The locale options give the same order and case rules on every machine. pg_trgm and text search use libc's
        # character types (LC_CTYPE). If LC_CTYPE were "C", no letter outside ASCII would be part of a word.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--lc-ctype=C.UTF-8",
        "--text-search-config=english",
        "--data-checksums",
        "--no-instructions",
    ]
    try:
        done = subprocess.run(
            command,
            env=environment(programs),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INITDB_TIMEOUT,
            text=True,
            errors="replace",
            **as_user(user),
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerError(f"Creating the database took more than {INITDB_TIMEOUT:.0f} s.") from error
    if done.returncode != 0:
        _refuse_full_disk(done.stdout, staging.parent)
        raise EmbeddedServerError(
            f"The database could not be created: {done.stdout.strip()[-800:]}",
            hint="Check the free disk space and who may write to the folder.",
        )


def _refuse_full_disk(log: str, home: Path) -> None:
    # On a full disk, the server may be unable to write the reason into its log.
    if os.strerror(errno.ENOSPC) in log or shutil.disk_usage(home).free < FULL_BYTES:
        raise full_disk(home)


def full_disk(home: Path) -> EmbeddedServerError:
    return EmbeddedServerError(f"The disk of {home} is full.", hint="Free some space. No data is lost.")


def refuse_other_version(home: Path, programs: Path) -> None:
    """Raise EmbeddedServerError if the data are of another major version, which these programs cannot read."""
    try:
        found = (home / "data" / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return
    version = binaries.version_of(programs)
    if found != version.split(".")[0]:
        raise EmbeddedServerError(
            f"{home / 'data'} holds data of PostgreSQL {found}, and the embedded server is PostgreSQL {version}.",
            hint="Install the release of Windowshop that created the data, dump the database with pg_dump, and restore "
            'the dump into an empty home: docs/operations.md, "Backup and restore".',
        )


def running(home: Path) -> bool:
    """Return whether any process of the server lives, even while the server is starting or stopping."""
    return file_lock.is_held(home / "server.lock")


class Postmaster(NamedTuple):
    """The server's main process, as it describes itself in postmaster.pid."""

    pid: int
    port: int | None
    ready: bool  # accepts connections


def postmaster(home: Path) -> Postmaster | None:
    """Return the running postmaster, or None if postmaster.pid is missing, names no process, or is stale."""
    try:
        lines = (home / "data" / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not processes.is_server_of(home / "data", pid):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else None
    return Postmaster(pid, port, ready=len(lines) > 7 and lines[7].strip() == "ready")


def orphaned(home: Path) -> bool:
    """Return whether processes of the server live without its main process. This is also the case for an instant while
    the server starts or stops."""
    return running(home) and postmaster(home) is None


def persisted_port(home: Path) -> int | None:
    try:
        return int((home / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None


def ensure_running(home: Path, on_progress: Progress) -> int:
    """Start the server if needed, and return its port once it accepts connections."""
    if orphaned(home) and not processes.end(home / "data", lambda: not orphaned(home)):
        raise _failed(home, "Processes of PostgreSQL outlive its main process")
    port = _ready_port(home) if running(home) else None
    if port is not None:
        return port
    if running(home):
        raise _failed(home, "The PostgreSQL server does not become ready")
    return _launch(home, on_progress)


def _launch(home: Path, on_progress: Progress) -> int:
    programs = binaries.unpack(home, on_progress)
    refuse_other_version(home, programs)
    create(home, programs, on_progress)
    on_progress("Starting PostgreSQL")
    data, user = home / "data", binaries.server_user()
    if postmaster(home) is not None:
        raise EmbeddedServerError(
            f"A PostgreSQL server that windowshop did not start uses {data}.",
            hint="Stop that server with its own pg_ctl.",
        )
    (data / "postmaster.pid").unlink(missing_ok=True)
    _write_configuration(home / "server.conf")
    for _ in range(PORT_ATTEMPTS):
        port = _free_port(home)
        _spawn(home, programs, user, port)
        if _ready_port(home) == port:
            fresh = home / "port.new"
            fresh.write_text(f"{port}\n")
            fresh.replace(home / "port")
            binaries.remove_others(home, programs)
            return port
        if running(home) or not any("could not bind" in line for line in _log(home)[-5:]):
            break
    raise _failed(home, "The PostgreSQL server did not start")


def _write_configuration(path: Path) -> None:
    # A container's /dev/shm often has only 64 MB, but a parallel index build allocates maintenance_work_mem there.
    shared = Path("/dev/shm")
    room = shutil.disk_usage(shared).total if shared.is_dir() else 0
    small = sys.platform == "linux" and room < SHARED_MEMORY_NEEDED
    path.write_text(CONFIGURATION.format(host=HOST, shared_memory="mmap" if small else "posix"))
    path.chmod(0o644)


def _spawn(home: Path, programs: Path, user: pwd.struct_passwd, port: int) -> None:
    lock = file_lock.acquire(home / "server.lock", wait=1)  # a status command may hold the lock for an instant
    if lock is None:
        raise EmbeddedServerError(f"Another process keeps {home / 'server.lock'} locked.")
    command = [str(programs / "bin" / "pg_ctl"), "start", "--no-wait", "--silent"]
    command += [f"--pgdata={home / 'data'}", f"--options=-p {port}"]
    try:
        with (home / "start.log").open("w") as log:
            subprocess.run(
                command,
                env=environment(programs),
                cwd="/",
                pass_fds=[lock.fd],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=READY_TIMEOUT,
                **as_user(user),
            )
    except subprocess.TimeoutExpired:
        pass  # the caller finds that no server is ready, and reports this with the log
    finally:
        lock.hand_over()


def _ready_port(home: Path) -> int | None:
    """Wait until the server is ready and return its port. Returns None when the server ends or takes too long."""
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        state = postmaster(home)
        if state is not None and state.ready:
            return state.port
        if not running(home) or time.monotonic() > deadline:
            return None
        time.sleep(file_lock.POLL_SECONDS)


def halt(home: Path, timeout: float, how: signal.Signals = signal.SIGINT) -> bool:
    """Stop the server: SIGINT requests a fast shutdown, SIGQUIT an immediate shutdown. Returns whether it has ended."""
    deadline = time.monotonic() + timeout
    signalled: int | None = None
    while running(home):
        state = postmaster(home)
        if state is None:
            return processes.end(home / "data", lambda: not running(home))
        if state.pid != signalled:
            signalled = state.pid
            with suppress(ProcessLookupError):
                os.kill(signalled, how)
        if time.monotonic() > deadline:
            return False
        time.sleep(file_lock.POLL_SECONDS)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def _free_port(home: Path) -> int:
    # Servers of different home folders usually try different ports first. Otherwise a server that is started again
    # would often find that the server of another home folder has taken its port.
    first = zlib.crc32(os.fsencode(home)) % len(PORTS)
    candidates: list[int] = [persisted_port(home) or PORTS[first], *PORTS[first:], *PORTS[:first]]
    for port in candidates:
        if _is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _failed(home: Path, what: str) -> EmbeddedServerError:
    lines = _log(home)
    _refuse_full_disk("\n".join(lines[-20:]), home)
    return EmbeddedServerError(
        "\n  ".join([f"{what}. Its log ends with:", *lines[-8:]]),
        hint=f"The whole log is in {home / 'data' / 'log'}.",
    )


def _log(home: Path) -> list[str]:
    """Return the lines of the server's log. Until the log collector runs, the log is start.log."""
    logs = [log for log in (*home.glob("data/log/*.log"), home / "start.log") if log.exists()]
    newest = max(logs, key=os.path.getmtime, default=None)
    return newest.read_text(errors="replace").splitlines() if newest else ["(empty)"]
