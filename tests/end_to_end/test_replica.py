"""A hot standby answers searches. For a search with a new text, the standby asks the primary for the vector."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from db.embedded.binaries import as_user, server_user
from db.embedded.server import Server, binary, secrets
from db.engine import Database
from db.roles import Role
from tests.support.images import load_drawings
from tests.support.processes import running_encoder, wait_until, windowshop

Environment = Callable[[Database], dict[str, str]]


@pytest.fixture
def replica_port(server: Server, server_home: Path, public_folder: Path, clip_database: Database) -> Iterator[int]:
    """Yields the port of a streaming replica of the test run's server."""
    home = public_folder / "replica"
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
            timeout=120,
            **as_user(user),
        )

    port = server.port + 1000
    source = ("-h", server.host, "-p", str(server.port), "-U", "postgres")
    run("pg_basebackup", *source, "-D", str(data), "-R", "-c", "fast")
    log = str(data / "replica.log")
    run("pg_ctl", "start", "-w", "-D", str(data), "-l", log, "-o", f"-p {port}")
    try:
        yield port
    finally:
        run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(data))


def test_a_search_for_a_new_text_works_on_a_read_replica(
    clip_database: Database, replica_port: int, environment: Environment, tmp_path: Path
) -> None:
    env = environment(clip_database)
    load_drawings(clip_database, tmp_path / "images", 30)
    with running_encoder(env, tmp_path / "log"):
        analyst = clip_database.url(Role.ANALYST).set(drivername="postgresql", port=replica_port)
        address = analyst.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as conn:
            assert conn.execute("select pg_is_in_recovery()").fetchone() == (True,)
            count = "select count(*) from shop.searchable"
            wait_until(lambda: conn.execute(count).fetchone() == (30,), 60, "30 products on the replica")
            found = conn.execute(
                "select sku from shop.searchable order by image_embedding <=> "
                "(select shop.clip_text('never asked before')) limit 5"
            ).fetchall()
            assert len(found) == 5
            for search in (
                'select sku from shop.search(\'asked on the replica\', filter => \'{"sku": {"ne": "x"}}\', k => 5)',
                "select sku from shop.similar('p3', k => 5)",
                "select step from shop.explain_search('asked on the replica', sku => 'p3') limit 5",
                "select field from shop.facets(fields => array['product_type', 'price'])",
            ):
                assert conn.execute(search).fetchall(), search
        reading = {**env, "WINDOWSHOP_READ_DATABASE_URL": address}
        searched = windowshop("search", "asked by the command line", env=reading)
        assert searched.returncode == 0, searched.stderr
        assert "thing" in searched.stdout
