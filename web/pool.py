"""Connections to the database, held open for the life of the service.

Half of what a cached search cost beyond its own time in the database was the way there: SQLAlchemy's checkout, a ping,
a statement each for BEGIN and the limits. So connections stay checked out, and BEGIN, the limits and the question
whether the connection still lives are one message.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from db.engine import Database, translated
from db.errors import DatabaseError, DatabaseUnreachable
from db.roles import Role

Result = TypeVar("Result")


class Gone(DatabaseUnreachable):
    """The connection was lost before anything was asked of it."""


class Pool:
    """At most `most` connections of one role."""

    def __init__(self, database: Database, role: Role, most: int, *, read: bool = False) -> None:
        self._engine = database.async_engine(role, read=read, connections=most)
        self._places = asyncio.Semaphore(most)
        self._idle: list[AsyncConnection] = []

    async def run(self, call: Callable[[Connection], Result], settings: Sequence[str]) -> Result:
        """`call` in a transaction with these settings. Connections that have died meanwhile cost no request."""

        def transaction(conn: Connection) -> Result:
            _begin(conn, settings)
            try:
                result = call(conn)
            except Exception:
                if _status(conn) != TransactionStatus.UNKNOWN:  # the server has forgotten it anyway
                    _tell(conn, "rollback")
                raise
            _tell(conn, "commit")
            return result

        async with self._places:
            while self._idle:
                with suppress(Gone):
                    return await self._run(self._idle.pop(), transaction)  # the one used last: its plans are ready
            return await self._run(await self._engine.connect(), transaction)

    async def _run(self, conn: AsyncConnection, transaction: Callable[[Connection], Result]) -> Result:
        try:
            return await conn.run_sync(transaction)
        finally:
            if not conn.invalidated and _status(conn.sync_connection) == TransactionStatus.IDLE:
                self._idle.append(conn)
            else:  # lost, or left in the middle of something by a client that went away
                await asyncio.shield(_discard(conn))

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()
        await self._engine.dispose()


def _begin(conn: Connection, settings: Sequence[str]) -> None:
    try:
        _tell(conn, "; ".join(("begin", *(f"set local {setting}" for setting in settings))))
    except DatabaseError as error:
        if _status(conn) == TransactionStatus.UNKNOWN:
            raise Gone(error.message) from error
        raise


def _tell(conn: Connection, statement: str) -> None:
    try:
        conn.connection.cursor().execute(statement)
    except psycopg.Error as error:
        raise translated(error) from error


def _status(conn: Any) -> Any:
    """As psycopg's own connection knows it: UNKNOWN when it is lost."""
    return conn.connection.driver_connection.pgconn.transaction_status


async def _discard(conn: AsyncConnection) -> None:
    await conn.invalidate()
    await conn.close()
