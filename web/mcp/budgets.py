"""Limits what an assistant may read: calls and rows per hour for each API key, or for each address without a key."""

from limits import RateLimitItemPerHour

from web.http.allowances import Allowances
from web.http.problems import ApiError
from web.settings import WebSettings


class Budgets:
    def __init__(self, settings: WebSettings) -> None:
        self._allowances = Allowances()
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
        waits = [  # a refused call is not counted
            (await self._allowances.wait(limit, name, client, cost=costs[name]), name)
            for name, limit in limits.items()
            if not await self._allowances.fits(limit, name, client, cost=costs[name])
        ]
        if waits:
            wait, name = max(waits, key=lambda one: one[0])
            left = await self._allowances.left(limits[name], name, client)
            raise ApiError(
                "rate",
                f"The budget is {self._per_hour[name]} {name} per hour, and {left} are left.",
                hint=f"This call fits into the budget in {wait} seconds.",
                retry_after=wait,
            )
        for name, limit in limits.items():
            await self._allowances.spend(limit, name, client, cost=costs[name])
