"""Creates databases on the test run's server and runs statements in them as the administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from db.embedded.server import Server, secrets
from db.engine import SUPERUSER, Database
from db.errors import WindowshopError
from db.kept_logins import KeptLogins
from db.lifecycle.gateway import DATABASE_SETTINGS, SERVER
from db.roles import LOGINS, Role, Roles
from migrations.gateway import point_gateway
from tests.support.processes import wait_until

ROLES = Roles("shop_")
SETTINGS = (
    # With fsync on, creating and dropping databases would take most of the time of a run. The tests in
    # tests/db/embedded check durability.
    "fsync = off",
    "full_page_writes = off",
    # Autovacuum would start several workers a second for hundreds of databases. It would also change statistics and
    # indexes at a moment that no test chooses. For example, a test inserted vectors and rolled back. After autovacuum
    # had removed these vectors from the HNSW index, the recall@30 of a search in a later test fell from .97 to .77.
    "autovacuum = off",
    # With one iteration, a login takes 2 ms of processor time, not 5 ms. The tests log in thousands of times.
    "scram_iterations = 1",
    # A query waits for its vector for 30 s, not 5 s, because the encoder of a busy machine is slow.
    "shop.timeout_ms = 30000",
)
# Leads the gateway of a copied database to the copy, in fewer statements than point_gateway. A copy has the user
# mapping of its template, but not the database settings of the template, so the statement sets them. Before that, it
# loads pgvector's library, which defines these settings.
LEAD_HERE = (
    "load 'vector'; do $$ begin execute "
    + "; execute ".join(
        [
            f"format('alter server {SERVER} version %L options (set dbname %L)', "
            "shop_private.database_identity(), current_database())",
            *(
                f"format('alter database %I set {name} = {value}', current_database())"
                for name, value in DATABASE_SETTINGS.items()
            ),
        ]
    )
    + "; end $$"
)
GATEWAY_SESSION = (
    "select true from pg_stat_activity where datname = current_database() and application_name = 'windowshop gateway'"
)
_numbers = count(1)
_created: list[tuple["Databases", str]] = []


@dataclass(frozen=True)
class WithEngines(Database):
    """A database that keeps its engines. When a new engine connects for the first time, it asks for the version and the
    settings of the server, which takes as long as the connection itself. An engine keeps no connections."""

    _engines: dict[tuple[Role | None, bool, URL], Engine] = field(default_factory=dict, init=False, repr=False)

    def engine(self, role: Role | None, *, read: bool = False) -> Engine:
        key = (role, read, self.url(role, read=read))
        if key not in self._engines:
            self._engines[key] = super().engine(role, read=read)
        return self._engines[key]


class KeptConnections:
    """Connections that stay open for several tests, because the first statements of a connection take most of the
    processor time of a short test. The connection of the administrator commits every statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: dict[Role | None, Connection] = {}

    def connection(self, role: Role | None) -> Connection:
        if role not in self._open:
            conn = self._database.engine(role).connect()
            _driver(conn).prepare_threshold = None  # `reset` would discard prepared statements that psycopg still uses
            self._open[role] = conn if role else conn.execution_options(isolation_level="AUTOCOMMIT")
        return self._open[role]

    def reset(self) -> None:
        """Send the statistics of each connection, and reset the connection to the state of a new one. If this fails, or
        if a session of the gateway may belong to the connection, close the connection."""
        for role, conn in list(self._open.items()):
            try:
                conn.rollback()
                driver = _driver(conn)
                driver.rollback()
                driver.autocommit = True
                driver.execute("select pg_stat_force_next_flush()")
                gateway = driver.execute(GATEWAY_SESSION).fetchone() is not None
                driver.execute("discard all")
                driver.autocommit = role is None
            except (psycopg.Error, SQLAlchemyError, WindowshopError):
                gateway = True
            if gateway:
                del self._open[role]
                conn.invalidate()
                conn.close()

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


def _driver(conn: Connection) -> psycopg.Connection[Any]:
    found = conn.connection.driver_connection
    assert isinstance(found, psycopg.Connection)
    return found


def admin(database: Database, statement: str) -> list[Any]:
    """Run one or more statements as the administrator. Returns the rows of the first statement."""
    with database.connect(None) as conn, conn.begin():
        done = conn.exec_driver_sql(statement)
        return list(done.all()) if done.returns_rows else []


def keep_logins(database: Database, home: Path) -> None:
    """Store the passwords of all logins in the home folder `home`. So does `db upgrade` if WINDOWSHOP_DATABASE_URL is
    set."""
    assert database.password is not None
    kept = KeptLogins(home, database.write)
    for role in LOGINS:
        kept.keep(database.roles[role], database.password(database.roles[role]))


@contextmanager
def dropped_afterwards() -> Iterator[None]:
    """When the context ends, drop the databases that were created in it. Most of their pages are then never written to
    the disk."""
    kept = len(_created)
    try:
        yield
    finally:
        while len(_created) > kept:
            databases, name = _created.pop()
            databases.run(f"drop database if exists {name} with (force)")


class Databases:
    """Creates databases on the test run's server. The databases are deleted with the server's folder."""

    def __init__(self, server: Server, home: Path) -> None:
        self._server = server
        self._secrets = secrets(home)
        for setting in SETTINGS:
            self.run(f"alter system set {setting}")
        self.run("select pg_reload_conf()")
        # The server may not have read the new configuration yet. So this session sets the number of iterations itself;
        # otherwise, the hash of the password would keep the old number.
        self.run(f"set scram_iterations = 1; alter role {SUPERUSER} password '{self._secrets.superuser}'")

    def admin_url(self, name: str = "postgres") -> str:
        return self._server.url("postgres", self._secrets.superuser, name)

    def open(self, name: str) -> Database:
        url = make_url(self.admin_url(name)).set(drivername="postgresql+psycopg")
        return WithEngines(url, url, ROLES, self._secrets.role_password)

    def create(self, template: str = "template1", options: str = "") -> str:
        name = f"shop_{next(_numbers)}"
        # Copying the files takes half the processor time of the default strategy, which writes each page to the WAL.
        self.run(f"create database {name} template {template} strategy file_copy {options}")
        _created.append((self, name))
        return name

    def copy(self, template: str) -> Database:
        """Copy a migrated database and return the copy. The gateway of the copy points to the copy."""
        name = self.create(template)
        with psycopg.connect(self.admin_url(name), autocommit=True) as conn:
            conn.execute(LEAD_HERE)  # type: ignore[arg-type]  # constants
        return self.open(name)

    def run(self, statement: str) -> None:
        with psycopg.connect(self.admin_url(), autocommit=True) as conn:
            conn.execute(statement)  # type: ignore[arg-type]  # the names are generated here

    @contextmanager
    def without_synchronous_standby(self) -> Iterator[None]:
        """Let every commit that writes wait for a synchronous standby that does not exist."""

        def commit() -> None:
            with psycopg.connect(self.admin_url()) as conn:
                conn.execute("select pg_logical_emit_message(true, 'tests', 'written')")

        def waits() -> bool:
            Thread(target=commit, daemon=True).start()
            with psycopg.connect(self.admin_url()) as conn:
                query = "select exists (select from pg_stat_activity where wait_event = 'SyncRep')"
                return conn.execute(query).fetchone() == (True,)

        self.run("alter system set synchronous_standby_names = 'missing'")
        self.run("select pg_reload_conf()")
        try:
            wait_until(waits, 10, "a commit that waits for the standby")
            yield
        finally:
            self.run("alter system reset synchronous_standby_names")
            self.run("select pg_reload_conf()")


def lead_gateway_to(database: Database, port: int) -> None:
    """Let the gateway reach the primary at this port of the loopback address."""
    assert database.password is not None
    with database.connect(None) as conn, conn.begin():
        point_gateway(conn, ROLES, [("127.0.0.1", port)], database.password(ROLES.gateway))
