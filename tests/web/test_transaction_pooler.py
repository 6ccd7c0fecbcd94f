"""The web service and `windowshop search` work behind PgBouncer in transaction mode. Commands that need a session
refuse the pooler."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from db.embedded.binaries import as_user, server_user
from db.engine import Database
from db.roles import LOGINS, Role
from tests.support.databases import ROLES, Databases, admin
from tests.support.processes import free_port, wait_until, windowshop
from tests.support.web_service import CACHED, SETTINGS, served

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed: apt-get install pgbouncer")
# The pooler has two connections to the server for each login, so answers may take long on a busy machine.
LONG_DEADLINE = SETTINGS.model_copy(update={"api_keys": "off", "deadline_ms": 50_000})
SESSION_SETTINGS = "select current_setting('statement_timeout'), current_setting('client_min_messages')"


@pytest.fixture(scope="module")
def site(databases: Databases, shop_template: str) -> Database:
    return databases.copy(shop_template)


@pytest.fixture(scope="module")
def pooler(public_folder: Path, site: Database) -> Iterator[int]:
    """Yields the port of a PgBouncer in transaction mode, with two connections to the server for each login."""
    port = free_port()
    assert site.password is not None and PGBOUNCER is not None
    folder, user, server = public_folder / "pgbouncer", server_user(), site.write
    folder.mkdir()
    logins = {ROLES[role]: site.password(ROLES[role]) for role in LOGINS} | {"postgres": server.password}
    (folder / "users").write_text("".join(f'"{name}" "{password}"\n' for name, password in logins.items()))
    (folder / "ini").write_text(
        f"[databases]\n* = host={server.host} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\n"
        f"auth_file = {folder / 'users'}\npool_mode = transaction\ndefault_pool_size = 2\n"
        f"logfile = {folder / 'log'}\n"
    )
    os.chown(folder, user.pw_uid, user.pw_gid)
    process = subprocess.Popen([PGBOUNCER, "-q", str(folder / "ini")], cwd=folder, **as_user(user))

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens, 30, "PgBouncer")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def through(database: Database, port: int, role: Role | None) -> str:
    return database.url(role).set(drivername="postgresql", port=port).render_as_string(hide_password=False)


@pytest.fixture
def pooled(site: Database, pooler: int) -> Database:
    """Returns the database with two addresses that lead to the pooler, for a web service behind the pooler."""
    read = site.url(Role.WEB_READER).set(port=pooler)
    return Database(site.url(Role.WEB_WRITER).set(port=pooler), read, site.roles)


def answers(client: httpx.Client, count: int) -> list[object]:
    """Sends mixed requests from several threads. Returns the part of each answer that the test compares."""

    def content(answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(number: int) -> object:
        match number % 4:
            case 0:
                body = {"query": CACHED[number % len(CACHED)], "top_k": 5}
                return [hit["sku"] for hit in content(client.post("/search/text", json=body))["results"]]
            case 1:
                return content(client.get(f"/products/sku {number % 60 + 1}"))["title"]
            case 2:
                body = {"query": CACHED[number % len(CACHED)], "fields": ["color"]}
                return content(client.post("/facets", json=body))["facets"]
            case _:
                return client.get("/", params={"q": CACHED[number % len(CACHED)]}).text.count("sku ")

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(ask, range(count)))


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_mixed_requests_through_a_transaction_pooler_give_the_right_answers(
    site: Database, pooled: Database, pooler: int, count: int
) -> None:
    with served(site, LONG_DEADLINE) as client:
        expected = answers(client, count)
    with served(pooled, LONG_DEADLINE) as client:
        assert answers(client, count) == expected
        assert client.get("/ready").status_code == 200
        put = {"products": [{"sku": "pooled", "title": "A pooled product"}]}
        assert client.put("/products", json=put).status_code == 200
        assert client.get("/products/pooled").json()["title"] == "A pooled product"
        assert client.delete("/products/pooled").status_code in (200, 204)
        used = admin(site, "select application_name, count(*) from pg_stat_activity where application_name <> ''"
                     " and datname = current_database() and usename = 'shop_web_reader' group by 1")  # fmt: skip
        assert dict(map(tuple, used))["windowshop web_reader"] <= 2
        # The web service leaves none of its settings in the pooler's connections, so the next client of the pooler
        # gets the defaults of the login.
        with psycopg.connect(through(site, pooler, Role.WEB_READER), autocommit=True) as conn:
            for _ in range(4):
                assert conn.execute(SESSION_SETTINGS).fetchone() == ("1min", "notice")


def test_searches_work_through_the_pooler_and_commands_that_need_a_session_refuse_it(
    site: Database, pooler: int, tmp_path: Path
) -> None:
    (tmp_path / "products.csv").write_text("sku,title\na,A\n")
    base = {name: value for name, value in os.environ.items() if not name.startswith("WINDOWSHOP_")}
    base |= {"WINDOWSHOP_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}

    def run(role: Role | None, *arguments: str) -> tuple[int, str, str]:
        address = through(site, pooler, role)
        done = windowshop(*arguments, env={**base, "WINDOWSHOP_DATABASE_URL": address}, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    for _ in range(2):
        code, output, errors = run(Role.CLI, "search", "laces", "-k", "2")
        assert code == 0, errors
        assert "sku " in output
    for role, command, what in (
        (Role.ENCODER, ("encode", "--once"), "an encoder"),
        (None, ("db", "upgrade"), "an upgrade"),
        (Role.LOADER, ("load", "products.csv"), "a load"),
        (Role.ENCODER, ("retry",), "a retry"),
        (Role.LOADER, ("calibrate",), "a calibration"),
    ):
        code, _, errors = run(role, *command)
        assert code == 3, errors
        said = f"error: WINDOWSHOP_DATABASE_URL leads to a transaction pooler, and {what} needs a session\n"
        assert said in errors
        assert "Traceback" not in errors
