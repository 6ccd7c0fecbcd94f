"""Delays the answer to a write with `?wait=` until the written products are encoded."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from litestar import Request
from litestar.datastructures import State
from litestar.params import QueryParameter

from db.errors import DatabaseError
from db.work import encoding
from web.http.context import context_of
from web.http.limiter import ConcurrencyLimiter
from web.http.problems import ApiError

MAX_WAIT = 60  # seconds
MAX_WAITERS = 16  # requests that wait at the same time; a further request reads the work list once
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between two reads of the work list
_LAST_READ = 1.0  # seconds after the end of the wait, for the last read of the work list
_ANSWER = 1.0  # seconds after the last read, for the answer

WaitInQuery = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=MAX_WAIT,
        description="The longest time in seconds to wait until the written products are encoded. The field `encoding` "
        "of the answer has the last known state of each product. While many other requests wait, the answer comes at "
        "once.",
    ),
]


def limiter() -> ConcurrencyLimiter:
    return ConcurrencyLimiter(MAX_WAITERS, 0)


async def wait_until_encoded(
    request: Request[Any, Any, Any], state: State, skus: Sequence[str], catalog: str, seconds: int
) -> dict[str, encoding.State]:
    """Returns for each product the last known state: whether it is encoded, waits, or is in quarantine.

    The products are committed, so an error while the work list is read does not become the answer. Until a read
    succeeds, the state is `waiting`. When the service stops, the wait ends at once.
    """
    waiters: ConcurrencyLimiter = state.waiters
    if waiters.is_full:
        return await _read_until_encoded(request, state, skus, catalog, 0)
    async with waiters:
        return await _read_until_encoded(request, state, skus, catalog, seconds)


async def _read_until_encoded(
    request: Request[Any, Any, Any], state: State, skus: Sequence[str], catalog: str, seconds: int
) -> dict[str, encoding.State]:
    context_of(request.scope).extend(seconds + _LAST_READ + _ANSWER)
    clock = asyncio.get_running_loop()
    end = clock.time() + seconds
    found: dict[str, encoding.State] = dict.fromkeys(skus, "waiting")

    async def read_states() -> None:
        pause = _FIRST_PAUSE
        while True:
            with suppress(ApiError, DatabaseError, TimeoutError):
                async with asyncio.timeout_at(end + _LAST_READ):
                    read = await state.pools.read(
                        request, lambda conn: encoding.states(conn, skus, catalog), primary=True
                    )
                    found.update(read)
            left = end - clock.time()
            if "waiting" not in found.values() or left <= 0:
                return
            await asyncio.sleep(min(pause, left))
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    reading, stopping = asyncio.ensure_future(read_states()), asyncio.ensure_future(state.stopping.wait())
    try:
        await asyncio.wait([reading, stopping], return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()
    finally:
        reading.cancel()
        stopping.cancel()
    return found
