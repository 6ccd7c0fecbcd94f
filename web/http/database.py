"""Runs the web service's database calls, with pools of connections, two concurrency limits and the request's deadline.

Searches and most other reads go through the read address, with the login `web_reader`. If this address leads to
standbys and none of them is usable, these reads go to the primary, with the same login, while the primary answers.
Writes go to the primary, with the login `web_writer`. While the primary answers, some reads use this login too, such as
those of image paths and rules. PostgreSQL ends a statement that runs longer than the setting `deadline_ms`. A statement
is cancelled earlier when the deadline of its request passes. A reading statement is also cancelled when the client
closes the connection.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from litestar import Request
from sqlalchemy import Connection

from db import addresses
from db.engine import Database
from db.errors import DatabaseUnreachable
from db.roles import Role
from db.search.ranking import NOTICE_LEVEL, TIMED_SEARCHES
from web.http.context import context_of
from web.http.limiter import ConcurrencyLimiter
from web.http.pool import Pool
from web.http.problems import ApiError, ClientGone
from web.settings import WebSettings

Result = TypeVar("Result")
Call = Callable[[Connection], Result]

_MIN_SECONDS_LEFT = 0.05  # a request with less time left before its deadline starts no database call
# A request is watched for a disconnect of its client only after this time. Watching costs time, and most requests are
# answered earlier.
_WATCH_AFTER_SECONDS = 0.05


@dataclass(eq=False)
class Reader:
    """A server at the read address. `Standbys` changes `lag` and `is_usable`. `lag` is in seconds, or None while this
    server or the primary does not answer."""

    name: str  # host and port
    pool: Pool
    lag: float | None = None
    is_usable: bool = True
    last_read: int = 0  # number of the last read that tried this reader before the other readers


# The server that a probe asks: a given server at the read address, "reads" for a server that searches use now, or
# "primary" for the primary, with the login web_writer.
Target = Reader | Literal["reads", "primary"]


class Pools:
    """The pools of connections. A connection is opened when it is first needed. `close` closes all connections.

    If `has_standby` is true, `Standbys` may change `primary_answers` and the state of each reader at any time.
    """

    def __init__(self, database: Database, settings: WebSettings) -> None:
        spare = 1  # one connection more than the limiter allows, so that a busy service can still answer /ready
        session_settings = (
            f"statement_timeout = {settings.deadline_ms}",
            f"shop.timeout_ms = {min(settings.encode_ms, settings.deadline_ms // 2)}",
            f"client_min_messages = {NOTICE_LEVEL}",
            f"shop.timed_searches = {TIMED_SEARCHES}",
        )

        def reading(address: Database) -> Pool:
            return Pool(address, Role.WEB_READER, settings.connections + spare, session_settings, read=True)

        self.readers = [Reader(addresses.listed(each.read), reading(each)) for each in database.readers()]
        self.has_standby = database.reads_elsewhere
        self.primary_answers = True
        self._reads = itertools.count(1)
        self._reading_primary = reading(database.reading_primary())
        writers = max(2, settings.connections // 2)
        self._writing = Pool(database, Role.WEB_WRITER, writers + spare, session_settings)
        self.read_limiter = ConcurrencyLimiter(settings.connections, settings.queue)
        self.write_limiter = ConcurrencyLimiter(writers, settings.queue)

    async def close(self) -> None:
        pools = [reader.pool for reader in self.readers]
        await asyncio.gather(*(pool.close() for pool in (*pools, self._reading_primary, self._writing)))

    async def close_readers_of_primary(self) -> None:
        await self._reading_primary.close_idle()

    @property
    def reads_on_primary(self) -> bool:
        return self.primary_answers and not any(reader.is_usable for reader in self.readers)

    async def _read(self, call: Call[Result]) -> Result:
        """Run `call` on the first server that can be reached: on a usable standby, on the primary, or on another
        standby."""
        *others, last = self._reading_order()
        for pool in others:
            with suppress(DatabaseUnreachable):
                return await pool.run(call)
        return await last.run(call)

    def _reading_order(self) -> list[Pool]:
        """Returns the pools in the order in which a read tries them. Usable readers come first, ordered by their number
        of running and waiting calls; among equals, the one whose last read is oldest comes first."""
        readers = sorted(self.readers, key=lambda each: (not each.is_usable, each.pool.active, each.last_read))
        readers[0].last_read = next(self._reads)
        if not (self.has_standby and self.primary_answers):
            return [reader.pool for reader in readers]
        usable = [reader.pool for reader in readers if reader.is_usable]
        return [*usable, self._reading_primary, *(reader.pool for reader in readers if not reader.is_usable)]

    async def read(self, request: Request[Any, Any, Any], call: Call[Result], *, primary: bool = False) -> Result:
        """Read on a server that searches use. With `primary`, read on the primary, with the login web_writer, while the
        primary answers."""
        if primary and self.primary_answers:
            async with self.write_limiter:
                _require_time_left(request)
                return await _cancel_when_client_leaves(request, self._writing.run(call))
        async with self.read_limiter:
            _require_time_left(request)
            return await _cancel_when_client_leaves(request, self._read(call))

    async def write(self, request: Request[Any, Any, Any], call: Call[Result]) -> Result:
        """Run `call` and commit. The write continues even if the client closes the connection."""
        async with self.write_limiter:
            _require_time_left(request)
            return await self._writing.run(call, retry=False, transaction=True)

    async def write_behind(self, call: Call[Result], *, seconds: float) -> Result:
        """Run `call` and commit, outside a request. Raises TimeoutError if `call` takes longer than `seconds`, and
        ApiError if too many writes wait."""
        async with self.write_limiter, asyncio.timeout(seconds):
            return await self._writing.run(call, retry=False, transaction=True)

    async def probe(self, call: Call[Result], target: Target = "reads", *, seconds: float = 2) -> Result:
        """Run `call` without a limiter; each pool has a spare connection for such calls. Raises TimeoutError after
        `seconds`."""
        async with asyncio.timeout(seconds):
            if isinstance(target, Reader):
                return await target.pool.run(call)
            return await (self._read(call) if target == "reads" else self._writing.run(call))


def _require_time_left(request: Request[Any, Any, Any]) -> None:
    """Raises ApiError when the request's deadline is less than _MIN_SECONDS_LEFT away or has passed."""
    if context_of(request.scope).deadline < asyncio.get_running_loop().time() + _MIN_SECONDS_LEFT:
        raise ApiError("timeout", "The request ran into its time limit before it reached the database.")


async def _cancel_when_client_leaves(request: Request[Any, Any, Any], work: Awaitable[Result]) -> Result:
    """Wait for `work`. When the client closes the connection, cancel `work` and raise ClientGone."""
    task, is_gone, watcher = asyncio.current_task(), False, None
    assert task is not None

    async def watch() -> None:
        nonlocal is_gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        is_gone = task.cancel()

    def start_watching() -> None:
        nonlocal watcher
        watcher = asyncio.ensure_future(watch())

    timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_SECONDS, start_watching)
    try:
        return await work
    except asyncio.CancelledError:
        if not is_gone:
            raise
        task.uncancel()
        raise ClientGone from None
    finally:
        timer.cancel()
        if watcher is not None:
            watcher.cancel()
