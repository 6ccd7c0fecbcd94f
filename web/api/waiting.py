"""Waits until the encoders have encoded written products, for `?wait=` of a write."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request
from litestar.datastructures import State
from litestar.params import QueryParameter

from db.work import encoding
from web.http.context import context_of

MAX_WAIT = 60  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between two looks at the work list

WaitInQuery = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=MAX_WAIT,
        description="Answer when the written products are encoded, but after this number of seconds at the latest. The "
        "field `encoding` then has the state of each product.",
    ),
]


async def wait_until_encoded(
    request: Request[Any, Any, Any], state: State, skus: Sequence[str], catalog: str, seconds: int
) -> dict[str, encoding.State]:
    """Returns for each product whether it is encoded, waits, or is in quarantine."""
    context_of(request.scope).extend(seconds)
    clock = asyncio.get_running_loop()
    end, pause = clock.time() + seconds, _FIRST_PAUSE
    while True:
        found: dict[str, encoding.State] = await state.pools.read(
            request, lambda conn: encoding.states(conn, skus, catalog), primary=True
        )
        left = end - clock.time()
        if "waiting" not in found.values() or left <= 0:
            return found
        await asyncio.sleep(min(pause, left))
        pause = min(_LONGEST_PAUSE, pause * 1.5)
