"""Keeps connections to the database open while the service runs.

The connections stay checked out of SQLAlchemy's pool, in autocommit, and the session settings are set once for each
connection. A search then sends one message. The state of the socket shows whether a connection is still open.

A short statement takes 0.28 ms of processor time with this pool, and 0.51 ms with psycopg_pool below SQLAlchemy. With
the pool of SQLAlchemy, it takes 0.95 ms, or 0.45 ms if that pool neither pings nor opens transactions. Without
pings and transactions, SQLAlchemy's pool would save about 20 lines of this file, but each statement would take 0.17 ms
more than with this pool. That is a tenth of the time that REST may add to a search.

Behind a pooler, the next transaction may have another connection to the server. So each call runs in a transaction of
its own, which sets the settings at its start. This costs two more messages for each search. PostgreSQL also plans every
statement again, because no statement is prepared.

A call ends when it is cancelled, even if the server no longer answers. The connection of the call is then cleaned up in
the background.
"""

import asyncio
import select
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from db import tracing
from db.driver_errors import translated
from db.engine import Database
from db.errors import DatabaseError, DatabaseUnreachable
from db.pooler import POOLED
from db.roles import Role
from db.search.driver import driver_rows

Result = TypeVar("Result")
# Key in `Connection.info`. Behind a pooler, its value has the statements that set the settings of a transaction.
_LOCAL = "windowshop.local_settings"
# A server confirms a cancelled statement within milliseconds. A connection without this confirmation is closed.
CANCEL_SECONDS = 2.0
# If transactions wait for each other, for example a search and an upgrade, PostgreSQL ends one of them with 40P01. A
# serialization failure is 40001.
ROLLED_BACK = ("40P01", "40001")


class ConnectionLost(DatabaseUnreachable):
    """The connection broke while it was in use."""


class Pool:
    """At most `size` connections of one role, all with the same session settings. `active` is the number of running
    calls and of calls that wait for a connection."""

    def __init__(
        self, database: Database, role: Role, size: int, settings: Sequence[str], *, read: bool = False
    ) -> None:
        self._engine = database.async_engine(role, read=read, connections=size)
        self._free = asyncio.Semaphore(size)
        self._settings = "; ".join(f"set {setting}" for setting in settings)
        self._local = "; ".join(f"set local {setting}" for setting in settings)
        self.active = 0
        self._idle: list[AsyncConnection] = []
        self._background: set[asyncio.Task[None]] = set()

    async def run(
        self, call: Callable[[Connection], Result], *, retry: bool = True, transaction: bool = False
    ) -> Result:
        """Run `call` on a connection; `transaction` puts `call` into a transaction. An idle connection that the server
        has closed is replaced. With `retry`, `call` runs again on a new connection if a reused connection breaks
        during the first run, so a second run of `call` must be harmless. After a deadlock or a serialization failure,
        `call` runs again once, with or without `retry`."""
        work = asyncio.ensure_future(self._run_twice(call, retry, transaction))
        self.active += 1
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._in_background(self._cancel(work))
            raise
        finally:
            self.active -= 1

    async def _run_twice(self, call: Callable[[Connection], Result], retry: bool, transaction: bool) -> Result:
        try:
            return await self._run_on_any(call, retry, transaction)
        except DatabaseError as error:
            if error.sqlstate not in ROLLED_BACK:
                raise
        return await self._run_on_any(call, retry, transaction)

    async def _run_on_any(self, call: Callable[[Connection], Result], retry: bool, transaction: bool) -> Result:
        async with self._free:
            while self._idle:
                conn = self._idle.pop()  # the most recently used connection, whose plans are cached
                if not _is_alive(conn):
                    await _discard(conn)
                    continue
                try:
                    return await self._run(conn, call, transaction)
                except ConnectionLost:
                    if not retry:
                        raise
                    break
            return await self._run(await self._connect(), call, transaction)

    async def _cancel(self, work: asyncio.Future[Any]) -> None:
        """Cancel the statement of `work`. If the server does not confirm this, close the connection, and also the idle
        connections, which lead to the same server."""
        work.cancel()
        _, silent = await asyncio.wait([work], timeout=CANCEL_SECONDS)
        if silent:
            work.cancel()  # psycopg closes a connection whose cancellation is cancelled
            await self.close_idle()
            await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # the caller has gone, so nobody else reads the error

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)  # the event loop itself would not keep the task
        task.add_done_callback(self._background.discard)

    async def _connect(self) -> AsyncConnection:
        conn = await self._engine.connect()
        try:
            await conn.run_sync(self._prepare)
        except BaseException:
            await asyncio.shield(_discard(conn))
            raise
        return conn

    def _prepare(self, conn: Connection) -> None:
        if conn.info.get(POOLED):
            conn.info[_LOCAL] = self._local
        else:
            _execute_raw(conn, self._settings)

    async def _run(self, conn: AsyncConnection, call: Callable[[Connection], Result], transaction: bool) -> Result:
        work = partial(_traced, call=call) if tracing.is_on() else call

        def run(conn: Connection) -> Result:
            return in_transaction(conn, work) if transaction or _LOCAL in conn.info else work(conn)

        try:
            return await conn.run_sync(run)
        except DatabaseError as error:
            if _status(conn) == TransactionStatus.UNKNOWN:
                raise ConnectionLost(error.message) from error
            raise
        finally:
            if _status(conn) == TransactionStatus.IDLE:
                self._idle.append(conn)
            else:  # the connection is broken or still inside a transaction
                await asyncio.shield(_discard(conn))

    async def close_idle(self) -> None:
        while self._idle:
            await _discard(self._idle.pop())

    async def close(self) -> None:
        if self._background:
            await asyncio.wait(self._background, timeout=CANCEL_SECONDS)
        await self.close_idle()
        await self._engine.dispose()


def in_transaction(conn: Connection, call: Callable[[Connection], Result], isolation: str = "read committed") -> Result:
    """Run `call` in a transaction, which is committed when `call` returns. If a transaction is open already, `call`
    runs in this transaction with the given isolation level."""
    if _status(conn) == TransactionStatus.INTRANS:
        _execute_raw(conn, f"set transaction isolation level {isolation}")
        return call(conn)
    _execute_raw(conn, "; ".join(filter(None, (f"begin isolation level {isolation}", conn.info.get(_LOCAL)))))
    try:
        result = call(conn)
    except Exception:
        if _status(conn) != TransactionStatus.UNKNOWN:
            _execute_raw(conn, "rollback")
        raise
    _execute_raw(conn, "commit")
    return result


def in_language(
    conn: Connection, call: Callable[[Connection], Result], language: str | None, isolation: str | None = None
) -> Result:
    """Run `call`. While it runs, words of queries are stemmed in `language`; None means the language of the catalog.
    With `isolation`, `call` runs in a transaction of this level."""

    def run(conn: Connection) -> Result:
        if language is not None:
            driver_rows(conn, "select set_config('shop.language', %(language)s, true)", {"language": language})
        return call(conn)

    if language is None and isolation is None:
        return call(conn)
    return in_transaction(conn, run, isolation or "read committed")


def _traced(conn: Connection, call: Callable[[Connection], Result]) -> Result:
    """Run `call` in a span, and tell the session its trace, which costs one more message for each call."""
    with tracing.span("postgresql", "client", attributes={"db.system.name": "postgresql"}):
        only_now = "local " if _status(conn) == TransactionStatus.INTRANS else ""
        _execute_raw(conn, f"set {only_now}shop.traceparent = '{tracing.traceparent() or ''}'")
        return call(conn)


def _execute_raw(conn: Connection, statements: str) -> None:
    try:
        conn.connection.cursor().execute(statements)
    except psycopg.Error as error:
        raise translated(error) from error


def _is_alive(conn: AsyncConnection) -> bool:
    """Returns whether an idle connection has no data to read. Data on an idle connection nearly always mean that the
    server has closed the connection."""
    poll = select.poll()
    poll.register(_raw(conn).socket, select.POLLIN)
    return not poll.poll(0)


def _status(conn: Any) -> TransactionStatus:
    """Returns libpq's transaction status, which is UNKNOWN for a broken connection."""
    return TransactionStatus.UNKNOWN if conn.invalidated else TransactionStatus(_raw(conn).transaction_status)


def _raw(conn: Any) -> Any:
    """Returns libpq's own connection."""
    conn = conn.sync_connection if isinstance(conn, AsyncConnection) else conn
    return conn.connection.driver_connection.pgconn


async def _discard(conn: AsyncConnection) -> None:
    await conn.invalidate()
    await conn.close()
