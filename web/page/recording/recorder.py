"""Writes the searches and clicks of visitors to shop.event in the background, so that no page waits for the primary.

A search waits for WAIT_SECONDS: if the visitor adds or removes letters at the end of the text in this time, only the
last text is recorded. While a process remembers that a visitor made a search or a click, it does not record the same
search or click again on that day. A click is not recorded if the process remembers that its search was left out. While
the primary does not answer, events wait, and the page works as before. A process records nothing before it has read the
salt of the day.

The memory of the process is bounded. An event can be lost: for example, if too many events wait, if it is unknown
whether a failed write has stored the event, or if the service ends while the primary does not answer. The metrics count
the lost events.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from litestar import Litestar
from litestar.types import Scope
from prometheus_client import Counter

from db.errors import DatabaseError, DatabaseUnreachable
from db.functions.constants import MAX_TEXT
from db.search import events
from db.search.events import DailySalt, Event
from web.http.database import Pools
from web.http.pool import ConnectionLost
from web.http.problems import ApiError
from web.page.recording import visitors
from web.page.results import PageResult
from web.page.state import PageState

Value = TypeVar("Value")

WAIT_SECONDS = 3.0
TICK_SECONDS = 0.5
WRITE_SECONDS = 5.0
RETRY_SECONDS = 10.0  # between attempts while the primary does not answer
MOST_A_DAY = 300  # events of one visitor that one process records in a day
MOST_WAITING = 1_000  # searches that wait, in case the visitor changes the end of the text
MOST_READY = 5_000  # events to be written
BATCH = 500
# Most entries of each memory of the day. The memories hold the recorded events, the searches that were left out, and
# the number of events of each visitor.
MOST_KNOWN = 100_000
RECORDED, LIMITED, LOST = "recorded", "limited", "lost"  # what becomes of an event


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: Event
    until: float  # on the monotonic clock
    is_text: bool  # false: the search has an image or products


class Recorder:
    def __init__(self, pools: Pools, counter: Counter) -> None:
        """`counter` has the label `result`."""
        self._pools, self._counter = pools, counter
        self._salt: DailySalt | None = None
        self._try_at = 0.0
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()  # by visitor
        self._ready: list[Event] = []
        self._known: OrderedDict[str, None] = OrderedDict()
        self._dropped: OrderedDict[str, None] = OrderedDict()  # ids of searches that are not recorded
        self._spent: OrderedDict[str, int] = OrderedDict()  # events of the day, by visitor

    @asynccontextmanager
    async def running(self, app: Litestar) -> AsyncIterator[None]:
        """Run the recorder while the application runs. At the end, the events that wait are written, or counted as
        lost."""
        stopping = asyncio.Event()
        task = asyncio.ensure_future(self._run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await asyncio.shield(task)

    def searched(self, scope: Scope, state: PageState, result: PageResult) -> str:
        """Record a search. Returns its id for the links to its products, or an empty text if it is not recorded."""
        salt = self._current_salt()
        if result.search is None or salt is None or not visitors.counts(scope):
            return ""
        visitor = visitors.name_of(scope, salt)
        asked = " ".join(state.q.split()).casefold()
        id_ = visitors.search_id(salt, visitor, result.catalog, asked, state.image, *state.like, "", *state.unlike)
        if id_ in self._known:
            return id_
        if self._spent.get(visitor, 0) >= MOST_A_DAY:
            self._counter.labels(LIMITED).inc()
            return ""
        total = result.search.total
        event = Event(
            kind="search",
            visitor=visitor,
            catalog=result.catalog,
            query=(result.search.corrected or state.q)[:MAX_TEXT] or None,
            results=None if state.filter and not total else total,  # the filter may be why nothing was found
            search_id=id_,
            occurred_at=datetime.now(UTC),
        )
        self._wait(event, is_text=not (state.image or state.like or state.unlike))
        return id_

    def clicked(self, scope: Scope, catalog: str, sku: str, origin: str) -> None:
        """Record that a visitor opened the view of a product from a search. `origin` is the id of the search and the
        rank of the product, as in the links of `searched`."""
        salt = self._current_salt()
        if not origin or salt is None or not visitors.counts(scope):
            return
        visitor = visitors.name_of(scope, salt)
        id_, _, rank = origin.partition(".")
        if not visitors.is_search_id(id_, salt, visitor, catalog) or not is_rank(rank) or id_ in self._dropped:
            return
        waiting = self._waiting.get(visitor)
        if waiting is not None and waiting.event.search_id == id_:
            self._finish(visitor)
        key = f"{id_} {sku}"
        if key in self._known:
            return
        _keep(self._known, key, None)
        self._add(
            Event(
                kind="click",
                visitor=visitor,
                catalog=catalog,
                sku=sku,
                rank=int(rank),
                search_id=id_,
                occurred_at=datetime.now(UTC),
            )
        )

    def _current_salt(self) -> DailySalt | None:
        """Returns the salt of this day. Returns None while it is not known."""
        if self._salt is not None and time.monotonic() >= self._salt.ends:
            self._salt = None
            self._known.clear()
            self._dropped.clear()
            self._spent.clear()
        return self._salt

    def _wait(self, event: Event, *, is_text: bool) -> None:
        visitor = event.visitor or ""
        before = self._waiting.get(visitor)
        if before is not None and is_text and before.is_text and _is_typed_on(before.event, event):
            self._drop(before.event)
            del self._waiting[visitor]
        elif before is not None or len(self._waiting) >= MOST_WAITING:
            self._finish(visitor if before is not None else next(iter(self._waiting)))
        self._dropped.pop(event.search_id or "", None)
        _keep(self._known, event.search_id or "", None)
        self._waiting[visitor] = _Waiting(event, time.monotonic() + WAIT_SECONDS, is_text)

    def _finish(self, visitor: str) -> None:
        """Stop waiting for further letters, and make the visitor's search ready to be written."""
        self._add(self._waiting.pop(visitor).event)

    def _add(self, event: Event) -> None:
        visitor = event.visitor or ""
        spent = self._spent.get(visitor, 0)
        if spent >= MOST_A_DAY:
            self._drop(event, LIMITED)
        elif len(self._ready) >= MOST_READY:
            self._drop(event, LOST)
        else:
            _keep(self._spent, visitor, spent + 1)
            self._ready.append(event)

    def _drop(self, event: Event, result: str | None = None) -> None:
        """Leave out an event, and count it as `result` if this is given. A search that is left out may be recorded
        later."""
        if result:
            self._counter.labels(result).inc()
        if event.kind == "search":
            self._known.pop(event.search_id or "", None)
            _keep(self._dropped, event.search_id or "", None)

    async def _run(self, stopping: asyncio.Event) -> None:
        is_last = False
        while not is_last:
            is_last = stopping.is_set()
            try:
                if is_last:
                    self._try_at = 0.0
                self._finish_until(math.inf if is_last else time.monotonic())
                await self._write()
            except Exception:
                structlog.get_logger().exception("events of the page could not be recorded")
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await stopping.wait()
        if self._ready:
            structlog.get_logger().warning("events of the page were lost at the end", events=len(self._ready))
            self._counter.labels(LOST).inc(len(self._ready))

    def _finish_until(self, end: float) -> None:
        while self._waiting and next(iter(self._waiting.values())).until <= end:
            self._finish(next(iter(self._waiting)))

    async def _write(self) -> None:
        """Write the events that are ready, and read the salt of a new day. Does nothing shortly after a failure."""
        if time.monotonic() < self._try_at:
            return
        try:
            if self._current_salt() is None:
                self._salt = await self._pools.write_behind(events.salt_of_day, seconds=WRITE_SECONDS)
            while self._ready:
                batch, self._ready = self._ready[:BATCH], self._ready[BATCH:]
                await self._write_batch(batch)
        except (DatabaseError, TimeoutError, ApiError) as error:
            self._try_at = time.monotonic() + RETRY_SECONDS
            structlog.get_logger().warning("events of the page could not be recorded", error=str(error))

    async def _write_batch(self, batch: list[Event]) -> None:
        """Write a batch. Raises the error of the write. If the failed write certainly stored nothing, the batch is
        written again later; otherwise its events count as lost."""
        try:
            await self._pools.write_behind(lambda conn: events.record(conn, batch), seconds=WRITE_SECONDS)
        except BaseException as error:
            if isinstance(error, DatabaseUnreachable | ApiError) and not isinstance(error, ConnectionLost):
                self._ready, beyond = (batch + self._ready)[:MOST_READY], (batch + self._ready)[MOST_READY:]
            else:
                beyond = batch
            for event in beyond:
                self._drop(event, LOST)
            raise
        self._counter.labels(RECORDED).inc(len(batch))


def is_rank(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) > 0


def _is_typed_on(before: Event, event: Event) -> bool:
    """Returns whether one of the two texts begins with the other, in the same catalog."""
    first, second = (before.query or "").casefold(), (event.query or "").casefold()
    return before.catalog == event.catalog and (second.startswith(first) or first.startswith(second))


def _keep(kept: OrderedDict[str, Value], key: str, value: Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MOST_KNOWN:
        kept.popitem(last=False)
