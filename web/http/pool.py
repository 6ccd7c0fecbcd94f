"""Connections to the database, held open for the life of the service.

Half of what a cached search cost beyond its own time in the database was the way there: SQLAlchemy's checkout, a ping,
messages for BEGIN, limits and COMMIT. So connections stay checked out, in autocommit, and know the limits from when
they were made: a search is one message, and whether the connection still lives is asked of the kernel.
"""

import asyncio
import select
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from db.engine import Database, translated
from db.errors import DatabaseError, DatabaseUnreachable
from db.roles import Role

Result = TypeVar("Result")


class Lost(DatabaseUnreachable):
    """The connection was lost meanwhile."""


class Pool:
    """At most `most` connections of one role, each with these settings."""

    def __init__(
        self, database: Database, role: Role, most: int, settings: Sequence[str], *, read: bool = False
    ) -> None:
        self._engine = database.async_engine(role, read=read, connections=most)
        self._places = asyncio.Semaphore(most)
        self._settings = "; ".join(f"set {setting}" for setting in settings)
        self._idle: list[AsyncConnection] = []

    async def run(self, call: Callable[[Connection], Result], *, again: bool = True) -> Result:
        """Connections that have died meanwhile cost no request. `again`: is it harmless to do it a second time?"""
        async with self._places:
            while self._idle:
                conn = self._idle.pop()  # the one used last: its plans are ready
                if not _is_silent(conn):
                    await _discard(conn)
                    continue
                try:
                    return await self._run(conn, call)
                except Lost:
                    if not again:
                        raise
                    break
            return await self._run(await self._connect(), call)

    async def _connect(self) -> AsyncConnection:
        conn = await self._engine.connect()
        try:
            await conn.run_sync(_tell, self._settings)
        except BaseException:
            await asyncio.shield(_discard(conn))
            raise
        return conn

    async def _run(self, conn: AsyncConnection, call: Callable[[Connection], Result]) -> Result:
        try:
            return await conn.run_sync(call)
        except DatabaseError as error:
            if _status(conn) == TransactionStatus.UNKNOWN:
                raise Lost(error.message) from error
            raise
        finally:
            if _status(conn) == TransactionStatus.IDLE:
                self._idle.append(conn)
            else:  # lost, or left in the middle of something
                await asyncio.shield(_discard(conn))

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()
        await self._engine.dispose()


def in_transaction(conn: Connection, call: Callable[[Connection], Result]) -> Result:
    """Commits when `call` returns."""
    _tell(conn, "begin")
    try:
        result = call(conn)
    except Exception:
        if _status(conn) != TransactionStatus.UNKNOWN:
            _tell(conn, "rollback")
        raise
    _tell(conn, "commit")
    return result


def _tell(conn: Connection, statements: str) -> None:
    try:
        conn.connection.cursor().execute(statements)
    except psycopg.Error as error:
        raise translated(error) from error


def _is_silent(conn: AsyncConnection) -> bool:
    """A server has nothing to say on an idle connection, unless that it ends it."""
    heard = select.poll()
    heard.register(_raw(conn).socket, select.POLLIN)
    return not heard.poll(0)


def _status(conn: Any) -> TransactionStatus:
    """As psycopg's own connection knows it: UNKNOWN when it is lost."""
    return TransactionStatus.UNKNOWN if conn.invalidated else TransactionStatus(_raw(conn).transaction_status)


def _raw(conn: Any) -> Any:
    """libpq's own connection."""
    conn = conn.sync_connection if isinstance(conn, AsyncConnection) else conn
    return conn.connection.driver_connection.pgconn


async def _discard(conn: AsyncConnection) -> None:
    await conn.invalidate()
    await conn.close()
