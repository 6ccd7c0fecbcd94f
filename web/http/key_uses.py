"""Records the times at which API keys are used, in the background, so that no request waits for the primary."""

import asyncio
import time

from db import api_keys
from db.errors import DatabaseError
from web.http.database import Pools

EVERY_SECONDS = 60  # the use of a key is recorded at most once in this time


class KeyUses:
    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._until: dict[str, float] = {}  # for each token, the time before which no further use is recorded
        self._tasks: set[asyncio.Task[None]] = set()

    def record(self, token: str) -> None:
        """Start to record the use of a valid key. While the primary does not answer, no use is recorded."""
        now = time.monotonic()
        if now < self._until.get(token, now):
            return
        self._until = {each: until for each, until in self._until.items() if until > now}
        self._until[token] = now + EVERY_SECONDS
        task = asyncio.ensure_future(self._write(token))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, token: str) -> None:
        try:
            await self._pools.probe(lambda conn: api_keys.record_use(conn, token), "primary")
        except (DatabaseError, TimeoutError):
            self._until.pop(token, None)
