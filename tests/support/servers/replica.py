"""Runs streaming replicas of the test run's server."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from db.embedded.binaries import as_user, server_user
from db.embedded.server import Server, binary, secrets
from tests.support.processes import free_port


@contextmanager
def streaming_replica(server: Server, server_home: Path, home: Path) -> Iterator[int]:
    """Copy the server, including the databases of earlier tests, to the folder `home`, and yield the port of the
    replica."""
    shutil.rmtree(home, ignore_errors=True)  # left by an attempt that failed
    data = home / "data"
    user = server_user()
    data.mkdir(parents=True)
    home.chmod(0o755)
    shutil.copy(server_home / "server.conf", home)  # data/postgresql.conf includes ../server.conf
    os.chown(data, user.pw_uid, user.pw_gid)
    data.chmod(0o700)
    password = secrets(server_home).superuser

    def run(program: str, *arguments: str) -> None:
        path, environment = binary(server_home, program)
        subprocess.run(
            [str(path), *arguments],
            env={**os.environ, **environment, "PGPASSWORD": password},
            cwd="/",
            check=True,
            capture_output=True,
            timeout=300,
            **as_user(user),
        )

    port = free_port()
    source = ("-h", server.host, "-p", str(server.port), "-U", "postgres")
    run("pg_basebackup", *source, "-D", str(data), "-R", "-c", "fast")
    log = str(data / "replica.log")
    run("pg_ctl", "start", "-w", "-D", str(data), "-l", log, "-o", f"-p {port}")
    try:
        yield port
    finally:
        if (data / "postmaster.pid").exists():  # a test may have stopped the replica
            run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(data))


@contextmanager
def paused_replay(server: Server, server_home: Path, port: int) -> Iterator[Callable[[], None]]:
    """Pause the replay of the replica. Yields a function that resumes it."""
    address = server.url("postgres", secrets(server_home).superuser, "postgres")
    with psycopg.connect(address, port=port, autocommit=True) as conn:

        def resume() -> None:
            conn.execute("select pg_wal_replay_resume()")

        conn.execute("select pg_wal_replay_pause()")
        try:
            yield resume
        finally:
            resume()
