"""Connects to the database with the login of a role. The engines of this module turn the errors of the driver into
WindowshopErrors."""

import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import NullPool

from db import addresses
from db.driver_errors import translated
from db.embedded import server
from db.errors import LoginRefused
from db.kept_logins import KeptLogins
from db.pooler import SERVER_PID, note_pooler
from db.roles import Role, Roles
from db.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

DATABASE = "windowshop"  # the only Windowshop database of the embedded server
SUPERUSER = "postgres"

# If client_encoding is not set, psycopg returns bytes instead of text from a database with the encoding SQL_ASCII.
CONNECT = {
    "connect_timeout": 5,
    "client_encoding": "utf8",
    # If the host stops answering, an idle connection ends after about 15 seconds, and a busy one after 10 seconds. On
    # Linux, tcp_user_timeout ends an idle connection at the second probe; on other systems, three probes must fail.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
ADMINISTRATION = "windowshop administration"  # the application_name of connections that have no role


@dataclass(frozen=True)
class Database:
    """A database: the address for writing, the address for reading, and the logins of the roles.

    With the embedded server, `password` returns the password of a login. Otherwise `password` is None and the addresses
    in the settings contain a login. If an administrator ran `db upgrade` from this home folder with the address for
    writing, `kept` finds the logins that the upgrade created, and each role uses its own login. Otherwise each role
    uses the login of the address. Without the embedded server, each engine of a role checks at its first connection
    that the login has the rights of the role and is no administrator.
    """

    write: URL
    read: URL
    roles: Roles
    password: Callable[[str], str] | None = field(default=None, repr=False)
    kept: KeptLogins | None = field(default=None, repr=False)
    # Maps each connection to the id of its server process, and to whether it uses the address for reading.
    _opened: "WeakKeyDictionary[psycopg.Connection[Any], tuple[int | None, bool]]" = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )
    # Maps a connection to the time of its opening, until SQLAlchemy and the listeners have run its first statements.
    _starting: "WeakKeyDictionary[psycopg.Connection[Any], float]" = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )

    @property
    def is_embedded(self) -> bool:
        return self.password is not None

    @property
    def reads_elsewhere(self) -> bool:
        """Return whether the two addresses may lead to different servers or databases. Their logins do not matter."""
        return addresses.location(self.read) != addresses.location(self.write)

    def readers(self) -> "list[Database]":
        """Return this database once for each server that shares the reads, with the server's address for reading."""
        return [replace(self, read=url) for url in addresses.servers(self.read)]

    def reading_primary(self) -> "Database":
        """Return this database with an address for reading that leads to the primary. The login for reading stays."""
        if not self.reads_elsewhere:
            return self
        return replace(self, read=self.write.set(username=self.read.username, password=self.read.password))

    def url(self, role: Role | None, *, read: bool = False) -> URL:
        """Return the address with which `role` connects. None stands for the administrator, who runs migrations."""
        url = self.read if read else self.write
        if role is None:
            return url
        name = self.roles[role.login]
        if self.password is not None:
            return url.set(username=name, password=self.password(name))
        password = self.kept.find(name) if self.kept and url.username == self.write.username else None
        return url if password is None else url.set(username=name, password=password)

    def engine(self, role: Role | None, *, read: bool = False) -> Engine:
        """Return an engine whose sessions act as `role` and whose errors are WindowshopErrors."""
        engine = create_engine(self.url(role, read=read), poolclass=NullPool, connect_args=_arguments(role))

        def note(connection: Any, record: Any) -> None:
            known = connection.info.backend_pid if self.is_embedded else None  # a pooler reports another id
            self._opened[connection] = (record.info.get(SERVER_PID, known), read)
            self._starting.pop(connection, None)

        # SQLAlchemy and our listeners run the first statements on a new connection. The connection is noted before, so
        # that end_waits and end_slow_starts can break it while one of these statements waits.
        @event.listens_for(engine, "do_connect")
        def open_noted(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
            connection = dialect.connect(*arguments, **options)
            self._opened[connection] = (None, read)
            self._starting[connection] = time.monotonic()
            return connection

        self._listen(engine, role, read)
        event.listen(engine, "connect", note)  # `note_pooler` has found the process id
        return engine

    def connect_options(self, role: Role) -> dict[str, Any]:
        """Return the arguments with which psycopg itself connects to the address for writing as `role`."""
        url = self.url(role)
        _, options = url.get_dialect()().create_connect_args(url)
        return {**options, **_arguments(role)}

    def sessions(self) -> "dict[psycopg.Connection[Any], int]":
        """Return the connections that `engine` opened to the address for writing, with the ids of their server
        processes. A connection whose id is not known is left out."""
        opened = [found for reference in self._opened.keyrefs() if (found := reference()) is not None]
        known = {each: self._opened[each] for each in opened}
        return {each: pid for each, (pid, read) in known.items() if pid is not None and not read}

    def end_slow_starts(self, seconds: float) -> None:
        """Break the connections whose first statements have taken longer than `seconds`. Their callers get an error."""
        for reference in self._starting.keyrefs():
            connection = reference()
            if connection is not None and time.monotonic() - self._starting.get(connection, math.inf) > seconds:
                end_wait(connection)

    def end_waits(self) -> None:
        """Break the connections that wait for the server. Their callers get an error."""
        for reference in self._opened.keyrefs():
            if (connection := reference()) is not None:
                end_wait(connection)

    def async_engine(self, role: Role, *, read: bool = False, connections: int) -> "AsyncEngine":
        """Return an asynchronous engine for a process with many requests.

        The engine keeps up to `connections` connections open, in autocommit mode.
        """
        from sqlalchemy.ext.asyncio import create_async_engine  # a slow import that most commands do not need

        engine = create_async_engine(
            self.url(role, read=read),
            pool_size=connections,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
            connect_args=_arguments(role),
        )
        self._listen(engine.sync_engine, role, read)
        return engine

    def _listen(self, engine: Engine, role: Role | None, read: bool) -> None:
        url = engine.url
        address = addresses.shown(url)

        @event.listens_for(engine, "handle_error")
        def translate(context: ExceptionContext) -> None:
            if isinstance(context.original_exception, psycopg.Error):
                error = translated(context.original_exception, address)
                if self.is_embedded and isinstance(error, LoginRefused):
                    error.hint = 'Run "windowshop db upgrade", which creates the logins and sets their passwords.'
                raise error from context.original_exception

        if self.password is None:
            event.listen(engine, "connect", note_pooler)

        if role is not None and self.password is None:

            @event.listens_for(engine, "first_connect")
            def check(connection: Any, _record: object) -> None:
                try:
                    _check_login(connection, self.roles, role, self.read != self.write and read)
                except BaseException:
                    connection.close()
                    raise

        if role is Role.ENCODER:
            from pgvector.psycopg import register_vector  # imports numpy, which most processes do not need

            from db import vector_array

            @event.listens_for(engine, "connect")
            def register_vectors(connection: Any, _record: object) -> None:
                register_vector(connection)
                vector_array.register(connection)
                # Vectors are sent in binary, because sending them as text would take most of the time of an answer.
                connection.adapters.register_dumper(list, ListBinaryDumper)
                connection.commit()

    @contextmanager
    def connect(self, role: Role | None, *, read: bool = False) -> Iterator[Connection]:
        """Yield a connection and close it at the end. The caller commits, or uses `conn.begin()`."""
        engine = self.engine(role, read=read)
        with engine.connect() as conn:
            yield conn


def end_wait(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Break the connection if it waits for the server. The waiting caller gets an error."""
    with suppress(psycopg.Error, OSError):
        if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
            with socket.socket(fileno=os.dup(connection.pgconn.socket)) as shared:
                shared.shutdown(socket.SHUT_RDWR)


def _arguments(role: Role | None) -> dict[str, Any]:
    """Return the arguments of a connection. An application_name in the address replaces the fallback."""
    return {**CONNECT, "fallback_application_name": f"windowshop {role}" if role else ADMINISTRATION}


@contextmanager
def open_database(settings: Settings, on_progress: Callable[[str], None] = lambda _: None) -> Iterator[Database]:
    """Yield the database that the settings name, or else the embedded database.

    The embedded server runs at least while the context is open.
    """
    roles = Roles(settings.role_prefix)
    if settings.database_url is not None:
        address = settings.database_url.get_secret_value()
        write = addresses.parse("WINDOWSHOP_DATABASE_URL", address, writes=True)
        read = write
        if settings.read_database_url is not None:
            address = settings.read_database_url.get_secret_value()
            read = addresses.parse("WINDOWSHOP_READ_DATABASE_URL", address)
        yield Database(write, read, roles, kept=KeptLogins(settings.home, write))
        return
    with server.attach(settings.home, on_progress=on_progress) as running:
        secrets = server.secrets(settings.home)
        url = addresses.parse("embedded server", running.url(SUPERUSER, secrets.superuser, DATABASE))
        _follow_port(settings.home / "gateway-port", url, running.port)
        yield Database(url, url, roles, secrets.role_password)


def _follow_port(known: Path, url: URL, port: int) -> None:
    """Tell the gateway (the server's connection to itself) the port of the embedded server. The port changes when
    another program takes the old port."""
    if known.is_file() and known.read_text() == str(port):
        return
    with psycopg.connect(
        url.set(drivername="postgresql", database="postgres").render_as_string(False), application_name=ADMINISTRATION
    ) as conn:
        exists = conn.execute("select 1 from pg_database where datname = %s", (url.database,)).fetchone()
    if exists is None:  # "windowshop db upgrade" has not created the database yet
        return
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(False), application_name=ADMINISTRATION
    ) as conn:
        if conn.execute("select 1 from pg_foreign_server where srvname = 'shop_primary'").fetchone():
            conn.execute(f"alter server shop_primary options (set port '{int(port)}')")
    known.write_text(str(port))


_LOGIN = """
select current_user::text, me.rolsuper or me.rolbypassrls or pg_has_role(owner.oid, 'usage'),
    exists (select from pg_roles r where r.rolname = %(login)s),
    exists (select from pg_roles r where r.rolname = any(%(suitable)s) and pg_has_role(r.oid, 'usage'))
from pg_roles me, pg_roles owner
where me.rolname = current_user and owner.rolname = %(owner)s and to_regnamespace('shop') is not null"""


def _check_login(connection: Any, roles: Roles, role: Role, reads: bool) -> None:
    """Raise LoginRefused if the login of this connection lacks the rights of `role`, or if it is an administrator. Also
    raise it if the site has no login for `role` yet.

    A command that only reads also accepts a login that may load. The web service reads with a login that cannot write,
    or with the login `app`, with which its earlier releases connected.
    `connection` is psycopg's connection, or SQLAlchemy's wrapper of an asynchronous connection.
    """
    suitable = {Role.ANALYST: [Role.ANALYST, Role.APP], Role.WEB_READER: [Role.ANALYST]}.get(
        role, [Role.APP] if role in (Role.APP, Role.WEB_WRITER, Role.LOADER) else [role]
    )
    login, names = roles[role.login], [roles[one] for one in suitable]
    cursor = connection.cursor()
    cursor.execute(_LOGIN, {"login": login, "suitable": names, "owner": roles.owner})
    row = cursor.fetchone()
    cursor.close()
    connection.commit()
    if row is None:  # the database has no schema yet; `schema.check` reports this
        return
    user, is_administrator, exists, is_suitable = row
    if not exists:
        raise LoginRefused(f"this site has no login {login} yet", hint='Run "windowshop db upgrade".')
    setting = "WINDOWSHOP_READ_DATABASE_URL" if reads or role is Role.WEB_READER else "WINDOWSHOP_DATABASE_URL"
    hint = f"Set {setting} to an address with the login {login}. docs/operations.md describes the logins."
    if is_administrator:
        raise LoginRefused(f"{user} is an administrator, whose rights this process must not have", hint=hint)
    if not is_suitable and not (role is Role.WEB_READER and user == roles.app):
        raise LoginRefused(f"the login {user} does not have the rights of {names[0]}", hint=hint)


def server_facts(conn: Connection) -> dict[str, Any]:
    """Return the versions of PostgreSQL and pgvector, the database's name, and whether the server is a replica."""
    row = conn.execute(
        text(
            "select current_setting('server_version') as postgresql, current_database() as database, "
            "(select extversion from pg_extension where extname = 'vector') as pgvector, pg_is_in_recovery() as replica"
        )
    )
    return dict(row.mappings().one())
