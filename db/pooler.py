"""Recognises a connection pooler, such as PgBouncer, between a process and the server.

In transaction mode, a pooler may give each transaction another connection to the server. The settings, named
statements, temporary tables, advisory locks and LISTEN of a session stay on their connection, so the next transaction
of the session may lack them. Searches and the web service need none of these. Encoders, loads, jobs, upgrades,
calibrations and retries need a session, and refuse such a pooler.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from db.errors import DatabaseError
from db.roles import Role

if TYPE_CHECKING:
    from db.engine import Database

POOLED = "windowshop.pooled"  # a key in `Connection.info`
SERVER_PID = "windowshop.server_pid"  # a key in `Connection.info`
_TRIES = 3
_PID = "select pg_backend_pid()"


def note_pooler(connection: Any, record: Any) -> None:
    """Note in `record.info` the id of the server process, and whether the connection leads to a pooler. If so, no
    statements are prepared on the connection.

    A pooler tells its client a process id that is not that of the server process. `connection` is psycopg's connection,
    or SQLAlchemy's wrapper of an asynchronous connection.
    """
    driver = getattr(connection, "driver_connection", connection)
    cursor = connection.cursor()
    cursor.execute(_PID)
    [pid] = cursor.fetchone()
    cursor.close()
    connection.commit()
    record.info[SERVER_PID] = pid
    record.info[POOLED] = driver.info.backend_pid != pid
    if record.info[POOLED]:
        driver.prepare_threshold = None


def refuse_transaction_pooler(database: "Database", role: Role | None, what: str) -> None:
    """Raise DatabaseError if the address of `role` leads to a pooler in transaction mode.

    `what` names the process that needs a session.
    """
    if database.is_embedded:
        return
    with database.connect(role) as first:
        if not first.info.get(POOLED):
            return
        with database.connect(role) as second:
            if any(_shares(first, second) for _ in range(_TRIES)):
                raise DatabaseError(
                    f"WINDOWSHOP_DATABASE_URL leads to a transaction pooler, and {what} needs a session",
                    hint="Set it to the address of the server itself, or of a pool in session mode.",
                )


def _shares(first: Connection, second: Connection) -> bool:
    """Return whether two transactions of `first` use different server processes, or use that of `second`."""
    before = first.scalar(text(_PID))
    first.commit()
    other = second.scalar(text(_PID))  # `second` keeps its server process until its transaction ends
    after = first.scalar(text(_PID))
    first.commit()
    second.commit()
    return bool(before != after or before == other)
