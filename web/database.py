"""The database as the web service uses it: two pools, a door that does not let a crowd in, and the request's deadline.

Searches read as `analyst` through the read address, all else goes to the primary as `app`. A request takes a
connection for one transaction, in which PostgreSQL itself holds the deadline; when the client goes away, the statement
is cancelled.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from litestar import Request
from sqlalchemy import Connection

from db.engine import Database
from db.ranking import HEARD
from db.roles import Role
from web.pool import Pool
from web.problems import ClientGone, Refused
from web.settings import WebSettings

Result = TypeVar("Result")
Call = Callable[[Connection], Result]

_LEAST_MS = 50  # less time than this is not worth beginning with


class Door:
    """At most `inside` at once and at most `waiting` before it; whoever comes then is refused at once."""

    def __init__(self, inside: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(inside)
        self._most_waiting = waiting
        self.waiting = 0
        self.inside = 0

    @property
    def is_shut(self) -> bool:
        return self._free.locked() and self.waiting >= self._most_waiting

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        if self.is_shut:
            raise Refused("overloaded", "All connections are in use, and enough requests wait for one.")
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._free.release()


class Pools:
    """Made inside the running event loop; `close` at its end."""

    def __init__(self, database: Database, settings: WebSettings) -> None:
        spare = 1  # /ready passes the door by: a service that is busy is not dead
        self._settings = settings
        self._reading = Pool(database, Role.ANALYST, settings.connections + spare, read=True)
        writers = max(2, settings.connections // 2)
        self._writing = Pool(database, Role.APP, writers + spare)
        self.reading_door = Door(settings.connections, settings.queue)
        self.writing_door = Door(writers, settings.queue)

    async def close(self) -> None:
        await self._reading.close()
        await self._writing.close()

    async def read(self, request: Request[Any, Any, Any], call: Call[Result]) -> Result:
        async with self.reading_door.enter():
            return await _unless_gone(request, self._run(self._reading, call, _left(request)))

    async def write(self, request: Request[Any, Any, Any], call: Call[Result]) -> Result:
        """Commits when `call` returns. Not given up when the client goes: it may have been told to write and leave."""
        async with self.writing_door.enter():
            return await self._run(self._writing, call, _left(request))

    async def probe(self, call: Call[Result], *, primary: bool, seconds: float = 2) -> Result:
        async with asyncio.timeout(seconds):
            return await self._run(self._writing if primary else self._reading, call, seconds)

    async def _run(self, pool: Pool, call: Call[Result], seconds: float) -> Result:
        deadline = max(int(seconds * 1000), 2)
        encode = min(self._settings.encode_ms, deadline // 2)
        limits = (f"statement_timeout = {deadline}", f"shop.timeout_ms = {encode}", f"client_min_messages = {HEARD}")
        return await pool.run(call, limits)


def _left(request: Request[Any, Any, Any]) -> float:
    """Seconds until the request's deadline. Raises Refused when it is not worth beginning."""
    left = float(request.scope["deadline"]) - asyncio.get_running_loop().time()  # type: ignore[typeddict-item]
    if left * 1000 < _LEAST_MS:
        raise Refused("timeout", "The request ran into its time limit before it reached the database.")
    return left


async def _unless_gone(request: Request[Any, Any, Any], work: Coroutine[Any, Any, Result]) -> Result:
    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for task in (working, leaving):
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
