"""Limits how many calls run at the same time and how many wait."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from web.http.problems import ApiError

Result = TypeVar("Result")


class ConcurrencyLimiter:
    """Lets `max_active` requests run at the same time and `max_waiting` requests wait. Further requests are refused
    immediately."""

    def __init__(self, max_active: int, max_waiting: int) -> None:
        self._free = asyncio.Semaphore(max_active)
        self._max_waiting = max_waiting
        self.waiting = 0
        self.active = 0

    @property
    def is_full(self) -> bool:
        return self._free.locked() and self.waiting >= self._max_waiting

    async def in_thread(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call the function in a thread. The call counts as active until it ends, even if the request ends earlier."""
        await self.__aenter__()
        call = asyncio.ensure_future(asyncio.to_thread(function, *args))
        call.add_done_callback(self._end_call)
        return await asyncio.shield(call)

    async def __aenter__(self) -> None:
        if self.is_full:
            raise ApiError("overloaded", "Too many requests are running and waiting already.")
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.active += 1

    async def __aexit__(self, *_: object) -> None:
        self._end()

    def _end_call(self, call: asyncio.Future[Any]) -> None:
        self._end()
        if not call.cancelled():
            call.exception()  # if the request has ended, nobody else reads the error, and asyncio would log it

    def _end(self) -> None:
        self.active -= 1
        self._free.release()
