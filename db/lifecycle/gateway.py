"""Examines the gateway, the loopback connection by which SQL functions have a query encoded: whether it works, and
whether it leads to this database or to another one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from db.errors import DatabaseError
from db.roles import Roles

SERVER = "shop_primary"
CONNECTION = "shop_check"  # the name of the connection of a check
# The database's defaults for SQL that users write themselves and that orders rows by a vector distance. An index scan
# examines 100 candidates, and continues if the filter removed too many of them. Among 100,000 clustered products, an
# image as the query gives recall@10 .99 with 100 candidates, and .95 with pgvector's default of 40.
DATABASE_SETTINGS = {"hnsw.iterative_scan": "relaxed_order", "hnsw.ef_search": "100"}


@dataclass(frozen=True, slots=True)
class GatewayEnd:
    """The database to which the gateway leads, and when its server started."""

    database: str
    started_at: datetime


def is_elsewhere(conn: Connection) -> bool:
    return bool(conn.scalar(text("select shop_private.gateway_is_elsewhere()")))


def check(conn: Connection) -> None:
    """Raise DatabaseError if this database is a copy whose gateway leads to the original. The check finds copies that
    were made from a dump, from a template or by restore.sh. A promoted standby passes the check."""
    if is_elsewhere(conn):
        raise DatabaseError(
            "this database is a copy, and its gateway leads to the original",
            hint='Run "windowshop db upgrade" or "windowshop db adopt", which point the gateway to the copy.',
        )


def dblink_schema(conn: Connection) -> str | None:
    """Return the schema of dblink, quoted as an SQL identifier, or None while dblink is not installed."""
    name: str | None = conn.scalar(
        text("select extnamespace::regnamespace::text from pg_extension where extname = 'dblink'")
    )
    return name


def is_public(conn: Connection, schema: str) -> bool:
    """Return whether every user may execute at least one function of dblink. `schema` is the result of
    `dblink_schema`."""
    return bool(
        conn.scalar(
            text(
                "select exists (select from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a "
                "where p.pronamespace = to_regnamespace(:schema) and p.proname like 'dblink%' and a.grantee = 0)"
            ),
            {"schema": schema},
        )
    )


def own_end(conn: Connection) -> GatewayEnd:
    return GatewayEnd(*conn.execute(text(_END)).one())


def reach(conn: Connection, roles: Roles) -> GatewayEnd:
    """Open the loopback connection once, in the same way as the SQL functions, and return where the connection leads.

    The caller's transaction gets the rights of the owner for this step. Raises DatabaseError with the reason if the
    connection fails.
    """
    schema = dblink_schema(conn)
    try:
        with _as_owner(conn, roles):
            _connect(conn, roles, schema)
            row = conn.execute(
                text(f"select * from {schema}.dblink('{CONNECTION}', :query) as r(a text, b timestamptz)"),
                {"query": _END},
            ).one()
    finally:
        # After an error, the session may have no such connection.
        with suppress(DatabaseError, SQLAlchemyError), _as_owner(conn, roles):
            conn.execute(text(f"select {schema}.dblink_disconnect('{CONNECTION}')"))
    return GatewayEnd(*row)


@contextmanager
def _as_owner(conn: Connection, roles: Roles) -> Iterator[None]:
    """Give the transaction the rights of the owner in this block.

    The rollback at the end of the block restores the caller's role.
    """
    with conn.begin_nested() as attempt:
        conn.execute(text(f"set local role {conn.dialect.identifier_preparer.quote(roles.owner)}"))
        yield
        attempt.rollback()


def _connect(conn: Connection, roles: Roles, schema: str | None) -> None:
    try:
        conn.execute(text(f"select {schema}.dblink_connect('{CONNECTION}', '{SERVER}')"))
    except DatabaseError as error:
        cause = error.__cause__
        detail = getattr(getattr(cause, "diag", None), "message_detail", None) or error.message
        raised = DatabaseError(
            f"the database server cannot log in to itself as the gateway: {' '.join(str(detail).split())}",
            hint="The server must reach itself at WINDOWSHOP_GATEWAY_HOST and WINDOWSHOP_GATEWAY_PORT, and its "
            f"pg_hba.conf must ask role {roles.gateway} for a password there (scram-sha-256, not trust).",
        )
        raise raised from error


_END = "select current_database()::text, pg_postmaster_start_time()"
