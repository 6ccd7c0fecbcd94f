"""Decides which standbys the web service reads from, and when the service reads from the primary.

Each second, the service updates the heartbeat of the primary, which is a time in a table, and reads the heartbeat that
each standby has replayed. The lag is the time of the primary minus the replayed heartbeat, so the clocks of other
machines do not matter. The lag includes the age of the newest heartbeat, so a standby that has replayed everything
shows a lag of up to two seconds. A server that was promoted by mistake replays no heartbeat, so it lags too. While the
primary does not answer, a standby lags if it is too far behind the standby that has replayed most.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import NoResultFound

from db.errors import WindowshopError
from web.http.database import Pools, Reader, Target

EVERY_SECONDS = 1.0
# After this many bad checks in a row, a standby gets no reads. After as many good checks, it gets reads again.
CHECKS = 2

_BEAT = text("select shop_private.primary_beat()")
_REPLAYED = text("select beat_at from shop_private.primary_heartbeat")
Result = TypeVar("Result")


class Standbys:
    """Marks standbys as usable or not usable. A check of a standby is bad if the standby lags by more than `max_lag`
    seconds or does not answer. After CHECKS bad checks in a row the standby is not usable, and after CHECKS good checks
    in a row it is usable again. While no standby is usable and the primary answers, reads go to the primary."""

    def __init__(self, pools: Pools, max_lag: float) -> None:
        self._pools, self._max_lag = pools, max_lag
        self._in_a_row = dict.fromkeys(pools.readers, 0)

    @property
    def lag(self) -> float | None:
        """The largest lag of the usable standbys, in seconds. While none is usable, the smallest lag of all standbys.
        None while no lag is known."""
        known = [(reader.is_usable, reader.lag) for reader in self._pools.readers if reader.lag is not None]
        used = [lag for is_usable, lag in known if is_usable]
        return max(used) if used else min((lag for _, lag in known), default=None)

    async def watch(self) -> None:
        while True:
            try:
                await self.check()
            except Exception:
                structlog.get_logger().exception("the standbys could not be checked")
            await asyncio.sleep(EVERY_SECONDS)

    async def check(self) -> None:
        def beat(conn: Connection) -> datetime:
            now: datetime = conn.execute(_BEAT).scalar_one()
            return now

        def replayed(conn: Connection) -> datetime:
            beat_at: datetime = conn.execute(_REPLAYED).scalar_one()
            return beat_at

        readers = self._pools.readers
        now, found = await asyncio.gather(
            self._ask(beat, "primary"), asyncio.gather(*(self._ask(replayed, reader) for reader in readers))
        )
        if self._pools.primary_answers != (now is not None):
            self._pools.primary_answers = now is not None
            structlog.get_logger().warning("the primary answers" if now else "the primary does not answer")
        newest = now or max((beat_at for beat_at in found if beat_at is not None), default=None)
        for reader, beat_at in zip(readers, found, strict=True):
            behind = None
            if beat_at is not None and newest is not None:
                behind = max(0.0, (newest - beat_at).total_seconds())
            reader.lag = behind if now is not None else None
            self._decide(reader, is_usable=behind is not None and behind <= self._max_lag)
        if not self._pools.reads_on_primary:
            await self._pools.close_readers_of_primary()

    async def _ask(self, call: Callable[[Connection], Result], target: Target) -> Result | None:
        try:
            return await self._pools.probe(call, target)
        except (WindowshopError, TimeoutError, NoResultFound):  # a standby may have no heartbeat yet
            return None

    def _decide(self, reader: Reader, *, is_usable: bool) -> None:
        self._in_a_row[reader] = 0 if is_usable == reader.is_usable else self._in_a_row[reader] + 1
        if self._in_a_row[reader] >= CHECKS:
            self._in_a_row[reader], reader.is_usable = 0, is_usable
            structlog.get_logger().warning(
                "reads return to a standby" if is_usable else "reads leave a standby",
                standby=reader.name,
                lag_seconds=reader.lag,
                reads="primary" if self._pools.reads_on_primary else "standby",
            )
