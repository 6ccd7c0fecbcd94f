"""Counts what a client uses of a limit in a sliding window, and computes when a request fits again."""

import time
from math import floor

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter


class Allowances:
    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    async def fits(self, limit: RateLimitItem, *client: str, cost: int) -> bool:
        return await self._limiter.test(limit, *client, cost=cost)

    async def spend(self, limit: RateLimitItem, *client: str, cost: int) -> bool:
        """Returns whether the cost fits. A cost that does not fit is not counted."""
        return await self._limiter.hit(limit, *client, cost=cost)

    async def refund(self, limit: RateLimitItem, *client: str, cost: int) -> None:
        """Take back a cost that `spend` has counted for this request."""
        key = self._storage.sliding_window_keys(limit.key_for(*client), limit.get_expiry(), time.time())[1]
        await self._storage.decr(key, cost)

    async def left(self, limit: RateLimitItem, *client: str) -> int:
        return max(0, (await self._limiter.get_window_stats(limit, *client)).remaining)

    async def wait(self, limit: RateLimitItem, *client: str, cost: int) -> int:
        """Returns the number of seconds, at least 1, after which `cost` fits if the client sends nothing until then.

        The limiter counts whole windows of `expiry` seconds. The spending of the previous window counts in proportion
        to the part of that window that lies in the last `expiry` seconds, so it falls evenly to 0. When the current
        window ends, its spending begins to fall in the same way.
        """
        expiry = limit.get_expiry()
        found = await self._storage.get_sliding_window(limit.key_for(*client), expiry)
        before, seconds_before, now, seconds_now = found
        room = limit.amount - cost + 1  # the cost fits while the spending is less than this
        this_window = seconds_now - expiry  # seconds until the end of this window
        if now < room:
            seconds = 0.0 if not before else seconds_before - (room - now) * expiry / before
        else:
            seconds = this_window + expiry - room * expiry / now
        return max(1, floor(seconds) + 1)
