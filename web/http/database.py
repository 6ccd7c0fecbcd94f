"""The database as the web service uses it: two pools, a door that does not let a crowd in, and the request's deadline.

Searches read as `analyst` through the read address, all else goes to the primary as `app`. PostgreSQL itself ends a
statement that takes as long as a request may; when a request's time is up before, or its client goes away, the
statement is cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from litestar import Request
from sqlalchemy import Connection

from db.engine import Database
from db.roles import Role
from db.search.ranking import CACHE_NOTICE_LEVEL
from web.http.pool import Pool, in_transaction
from web.http.problems import ApiError, ClientGone
from web.settings import WebSettings

Result = TypeVar("Result")
Call = Callable[[Connection], Result]

_LEAST_SECONDS = 0.05  # less time than this is not worth beginning with
_LOOK_SECONDS = 0.05  # most are answered before anybody could have lost patience


class ConcurrencyLimiter:
    """At most `inside` at once and at most `waiting` before it; whoever comes then is refused at once."""

    def __init__(self, inside: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(inside)
        self._most_waiting = waiting
        self.waiting = 0
        self.inside = 0

    @property
    def is_full(self) -> bool:
        return self._free.locked() and self.waiting >= self._most_waiting

    async def __aenter__(self) -> None:
        if self.is_full:
            raise ApiError("overloaded", "All connections are in use, and enough requests wait for one.")
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.inside += 1

    async def __aexit__(self, *_: object) -> None:
        self.inside -= 1
        self._free.release()


class Pools:
    """Made inside the running event loop; `close` at its end."""

    def __init__(self, database: Database, settings: WebSettings) -> None:
        spare = 1  # /ready passes the door by: a service that is busy is not dead
        limits = (
            f"statement_timeout = {settings.deadline_ms}",
            f"shop.timeout_ms = {min(settings.encode_ms, settings.deadline_ms // 2)}",
            f"client_min_messages = {CACHE_NOTICE_LEVEL}",
        )
        self._reading = Pool(database, Role.ANALYST, settings.connections + spare, limits, read=True)
        writers = max(2, settings.connections // 2)
        self._writing = Pool(database, Role.APP, writers + spare, limits)
        self.reading_door = ConcurrencyLimiter(settings.connections, settings.queue)
        self.writing_door = ConcurrencyLimiter(writers, settings.queue)

    async def close(self) -> None:
        await self._reading.close()
        await self._writing.close()

    async def read(self, request: Request[Any, Any, Any], call: Call[Result], *, primary: bool = False) -> Result:
        door, pool = (self.writing_door, self._writing) if primary else (self.reading_door, self._reading)
        async with door:
            _assert_worth_it(request)
            return await _unless_gone(request, pool.run(call))

    async def write(self, request: Request[Any, Any, Any], call: Call[Result]) -> Result:
        """Commits when `call` returns. Not given up when the client goes: it may have been told to write and leave."""
        async with self.writing_door:
            _assert_worth_it(request)
            return await self._writing.run(lambda conn: in_transaction(conn, call), again=False)

    async def probe(self, call: Call[Result], *, primary: bool, seconds: float = 2) -> Result:
        async with asyncio.timeout(seconds):
            return await (self._writing if primary else self._reading).run(call)


def _assert_worth_it(request: Request[Any, Any, Any]) -> None:
    """Raises ApiError when the request's deadline is near or past."""
    if float(request.scope["deadline"]) < asyncio.get_running_loop().time() + _LEAST_SECONDS:  # type: ignore[typeddict-item]
        raise ApiError("timeout", "The request ran into its time limit before it reached the database.")


async def _unless_gone(request: Request[Any, Any, Any], work: Awaitable[Result]) -> Result:
    """Raises ClientGone, and cancels `work`, when nobody waits for it any more."""
    waiting, is_gone, looking = asyncio.current_task(), False, None
    assert waiting is not None

    async def look() -> None:
        nonlocal is_gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        is_gone = waiting.cancel()

    def begin_to_look() -> None:
        nonlocal looking
        looking = asyncio.ensure_future(look())

    timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, begin_to_look)
    try:
        return await work
    except asyncio.CancelledError:
        if not is_gone:
            raise
        waiting.uncancel()
        raise ClientGone from None
    finally:
        timer.cancel()
        if looking is not None:
            looking.cancel()
