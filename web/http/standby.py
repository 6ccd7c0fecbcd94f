"""Decides whether the web service reads from its standby or from the primary.

Each second, the service updates the heartbeat of the primary and reads the heartbeat that the standby has replayed. The
lag is the time of the primary minus the replayed heartbeat, so no clock of another machine counts. The lag includes the
age of the newest heartbeat, so a standby that has replayed everything shows a lag of up to two seconds.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import NoResultFound

from db.errors import WindowshopError
from web.http.database import Place, Pools

EVERY_SECONDS = 1.0
# Reads move to the other server after this number of checks in a row with the same result. If the primary does not
# answer, reads move to the standby after one check.
CHECKS = 2

_BEAT = text("select shop_private.primary_beat()")
_REPLAYED = text("select pg_is_in_recovery(), beat_at from shop_private.primary_heartbeat")
Result = TypeVar("Result")


class Standby:
    """Reads go to the primary while the standby lags by more than `max_lag` seconds or does not answer. While the
    primary does not answer, reads go to the standby.

    `lag` is in seconds, or None while one of the two servers does not answer.
    """

    def __init__(self, pools: Pools, max_lag: float) -> None:
        self.lag: float | None = None
        self._pools, self._max_lag = pools, max_lag
        self._in_a_row = 0

    async def watch(self) -> None:
        while True:
            try:
                await self.check()
            except Exception:
                structlog.get_logger().exception("the standby could not be checked")
            await asyncio.sleep(EVERY_SECONDS)

    async def check(self) -> None:
        def beat(conn: Connection) -> datetime:
            now: datetime = conn.execute(_BEAT).scalar_one()
            return now

        def replayed(conn: Connection) -> tuple[bool, datetime]:
            is_standby, beat_at = conn.execute(_REPLAYED).one()
            return is_standby, beat_at

        now, found = await asyncio.gather(self._ask(beat, "primary"), self._ask(replayed, "standby"))
        if self._pools.primary_answers != (now is not None):
            self._pools.primary_answers = now is not None
            structlog.get_logger().warning("the primary answers" if now else "the primary does not answer")
        self.lag = None
        if now is not None and found is not None:
            is_standby, beat_at = found
            self.lag = max(0.0, (now - beat_at).total_seconds()) if is_standby else 0.0
        self._decide(is_usable=self.lag is not None and self.lag <= self._max_lag)
        if not self._pools.reads_on_primary:
            await self._pools.close_readers_of_primary()

    async def _ask(self, call: Callable[[Connection], Result], place: Place) -> Result | None:
        try:
            return await self._pools.probe(call, place)
        except (WindowshopError, TimeoutError, NoResultFound):  # the standby may have no heartbeat yet
            return None

    def _decide(self, *, is_usable: bool) -> None:
        pools = self._pools
        moves = pools.primary_answers and not is_usable
        self._in_a_row = 0 if moves == pools.reads_on_primary else self._in_a_row + 1
        if self._in_a_row >= CHECKS or (self._in_a_row and not pools.primary_answers):
            self._in_a_row, pools.reads_on_primary = 0, moves
            place = "primary" if moves else "standby"
            structlog.get_logger().warning(f"reads go to the {place}", lag_seconds=self.lag)
