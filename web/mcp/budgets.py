"""Limits what an assistant may read: calls and rows per hour for each API key, or for each address without a key."""

import time

from limits import RateLimitItemPerHour
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from web.http.problems import ApiError
from web.settings import WebSettings

LONGEST_WAIT = 3_600  # seconds


class Budgets:
    def __init__(self, settings: WebSettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._per_hour = {"calls": settings.mcp_calls_per_hour, "rows": settings.mcp_rows_per_hour}

    async def spend(self, client: str, rows: int) -> None:
        """Count a call of `client` that may return `rows` rows. Raises ApiError when a budget does not suffice."""
        if (most := self._per_hour["rows"]) and rows > most:
            raise ApiError(
                "invalid",
                f"The call can return {rows} rows, and the budget is {most} rows per hour.",
                hint="Ask for fewer rows: a smaller limit, or fewer fields.",
            )
        costs = {"calls": 1, "rows": rows}
        limits = {name: RateLimitItemPerHour(most) for name, most in self._per_hour.items() if most}
        for name, limit in limits.items():  # a refused call is not counted
            if not await self._limiter.test(limit, name, client, cost=costs[name]):
                await self._refuse(name, limit, client)
        for name, limit in limits.items():
            await self._limiter.hit(limit, name, client, cost=costs[name])

    async def _refuse(self, name: str, limit: RateLimitItemPerHour, client: str) -> None:
        stats = await self._limiter.get_window_stats(limit, name, client)
        wait = max(1, min(LONGEST_WAIT, round(stats.reset_time - time.time())))
        raise ApiError(
            "rate",
            f"The budget is {self._per_hour[name]} {name} per hour, and {max(0, stats.remaining)} are left.",
            hint=f"The budget is full again in {wait} seconds.",
            retry_after=wait,
        )
