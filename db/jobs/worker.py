"""Runs the jobs of a site on procrastinate. Any number of processes may run; each job runs in one of them.

    every 15 seconds    look_around: makes the messages of webhooks, makes a job for each due feed and for each webhook
                        with due messages, and takes up the jobs of dead processes (see below)
    every 10 minutes    refresh_suggestions: computes the texts that shop.suggest shows
    every hour          refresh_signals: computes the popularity and the distributions of signals
                        delete_old: deletes old events and cached queries in batches, the salts with which visitors
                        were hashed on earlier days, and old failed jobs
    when it is due      load_feed: loads a feed; one load of a feed runs at a time
                        deliver: sends the messages of a webhook; one such job of a webhook runs at a time

procrastinate makes one job each time a periodic task is due, however many processes run. Each process sends a
heartbeat. When a process dies, its jobs are queued again, and another process runs them. A job of a dead process that
has had ATTEMPTS attempts fails instead.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import structlog
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job
from psycopg_pool import PoolTimeout

from db import schema
from db.engine import CONNECT, Database, end_wait
from db.errors import DatabaseError, SchemaMismatch, SettingsError
from db.jobs.deliveries import Deliveries
from db.jobs.feeds import Overview, next_time, overview
from db.jobs.settings import JobsSettings
from db.jobs.webhooks import MAX_WEBHOOKS
from db.pooler import refuse_transaction_pooler
from db.roles import Role

log = structlog.get_logger()

# The queues. A long load or a slow receiver in one queue does not delay the jobs of another.
FEEDS, SITE, WEBHOOKS = "feeds", "site", "webhooks"
POOL = 2  # connections of a process; a running load and the check of the schema have connections of their own
ATTEMPTS = 3  # attempts of a load that may succeed later, and of a job whose process died
RETRY_SECONDS = 60
BATCH = 5_000  # rows that one statement deletes
KEEP_FAILED_HOURS = 30 * 24
LOOK_SECONDS = 15  # time between two runs of look_around, and between two checks of the schema
POLL_SECONDS = 2.0
BREAK_SECONDS = 5.0  # after `stop` is called, connections that still wait for the server are broken at this interval
PAUSE_SECONDS = 5.0  # before the next attempt to reach the database
MAX_REPORT = 4_000  # characters

_DUE = (  # the time is the database's, because the clock of this machine may be wrong
    "select name, cron, clock_timestamp() from shop_private.feed where due_at <= clock_timestamp() order by due_at "
    "for update skip locked"
)
_NEXT = "update shop_private.feed set due_at = %s where name = %s"
_IS_BUSY = "select exists (select from shop_jobs.procrastinate_jobs where lock = %s and status in ('todo', 'doing'))"
_ARGUMENTS = "select arguments from shop_private.feed where name = %s"
_ENDED = "update shop_private.feed set ended_at = clock_timestamp(), exit_code = %s, report = %s where name = %s"


@dataclass(frozen=True)
class Ended:
    """The end of a load. `may_succeed_later` says whether another attempt may succeed."""

    exit_code: int
    report: str
    may_succeed_later: bool = False


LoadFeed = Callable[[str, list[str], float], Awaitable[Ended]]  # name, arguments of `windowshop load`, time limit


class FeedFailed(Exception):
    """A load failed, but another attempt may succeed. procrastinate makes up to ATTEMPTS attempts in all."""


class _Retry(BaseRetryStrategy):
    """Runs a job again if its process stops. Repeats a failed load that may succeed later, up to ATTEMPTS attempts in
    all."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        if isinstance(exception, FeedFailed) and job.attempts + 1 < ATTEMPTS:
            return RetryDecision(retry_in={"seconds": RETRY_SECONDS})
        return None


class _ToLog(logging.Handler):
    """Writes each warning and error of procrastinate and its pool as one line of our log, without a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        log.warning(record.getMessage().splitlines()[0][:300], **({"error": repr(cause)[:300]} if cause else {}))


def _follow_libraries() -> None:
    for name in ("procrastinate", "psycopg.pool"):
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        library.handlers, library.propagate = [_ToLog()], False


class JobsWorker:
    """Runs jobs in the thread that calls `run`, until `stop` is called from any thread. `run` can be called once.

    `fault` tells why the process is not ready, and `is_behind` whether the schema is newer than this code. `feeds` is
    the state of all feeds, which is read every LOOK_SECONDS. It is None while the database does not answer or its
    schema does not fit. `loads` counts, by result, the loads that this process ran and that have ended.
    """

    def __init__(self, database: Database, settings: JobsSettings, load: LoadFeed) -> None:
        self._database, self._settings, self._load = database, settings, load
        self._stopping = threading.Event()
        self._wake: Callable[[], object] = lambda: None
        self._pooled: WeakKeyDictionary[psycopg.AsyncConnection[Any], None] = WeakKeyDictionary()
        self.fault: str | None = "the process starts"
        self.is_behind = False
        self.feeds: Overview | None = None
        self.loads = {"succeeded": 0, "failed": 0}

    def check(self) -> None:
        """Raise DatabaseError if the address, its login or the schema does not fit."""
        refuse_transaction_pooler(self._database, Role.JOBS, "the process that runs jobs")
        with self._database.connect(Role.JOBS) as conn:
            schema.check(conn)

    def stop(self) -> None:
        self._stopping.set()
        self._wake()

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run jobs until `stop`. While the database does not answer, try again every few seconds."""
        _follow_libraries()
        ended = threading.Event()
        thread = threading.Thread(target=self._end_waits, args=(ended,), name="end waits", daemon=True)
        thread.start()
        try:
            asyncio.run(self._run(on_ready))
        finally:
            ended.set()
            self._stopping.set()  # after an error, nobody has called `stop`, and the thread still waits for the call
            thread.join()

    def _end_waits(self, ended: threading.Event) -> None:
        """From `stop` until `ended` is set, break the connections that wait for the server, every BREAK_SECONDS. A
        server that no longer answers would otherwise keep `run` from ending."""
        self._stopping.wait()
        while not ended.wait(BREAK_SECONDS):
            self._database.end_waits()
            for reference in self._pooled.keyrefs():
                if (connection := reference()) is not None:
                    end_wait(connection)

    async def _run(self, on_ready: Callable[[], None]) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stopped.set)

        self._wake = wake
        if self._stopping.is_set():
            stopped.set()
        while not stopped.is_set():
            try:
                await self._work(stopped, on_ready)
            except (ConnectorException, psycopg.Error, PoolTimeout) as error:
                cause = error.__cause__ or error
                self.fault, self.feeds = f"the database does not answer: {' '.join(str(cause).split())[:200]}", None
                if not stopped.is_set():
                    log.warning("the jobs lost their connection to the database", error=self.fault)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stopped.wait(), PAUSE_SECONDS)
        self.fault, self.feeds = "the process stops", None

    async def _work(self, stopped: asyncio.Event, on_ready: Callable[[], None]) -> None:
        app = self._app()
        options: dict[str, Any] = {
            "wait": True,
            "install_signal_handlers": False,
            "listen_notify": False,
            "fetch_job_polling_interval": POLL_SECONDS,
            "update_heartbeat_interval": self._settings.dead_seconds / 3,
            "stalled_worker_timeout": self._settings.dead_seconds,
            "delete_jobs": DeleteJobCondition.SUCCESSFUL,
            "shutdown_graceful_timeout": 0.1,  # a load is ended at once; another process runs the job again
        }
        async with app.open_async():
            await self._check()
            workers = [
                asyncio.create_task(app.run_worker_async(queues=[FEEDS], concurrency=1, name=FEEDS, **options)),
                asyncio.create_task(app.run_worker_async(queues=[SITE], concurrency=2, name=SITE, **options)),
                asyncio.create_task(
                    app.run_worker_async(queues=[WEBHOOKS], concurrency=MAX_WEBHOOKS, name=WEBHOOKS, **options)
                ),
                asyncio.create_task(self._watch()),
            ]
            on_ready()
            stop = asyncio.create_task(stopped.wait())
            await asyncio.wait([*workers, stop], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, return_exceptions=True)
        failed = [
            one for one in ended if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError)
        ]
        if failed:
            raise failed[0]
        if not stopped.is_set():  # a side task of procrastinate has failed, and procrastinate has logged this
            raise psycopg.OperationalError("a task of a worker ended")

    async def _watch(self) -> None:
        """Call `_check` every LOOK_SECONDS. This is not a job, because a job runs in only one process, and each process
        needs the result of its own check."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._check()

    async def _check(self) -> None:
        """Compare the schema with this code, and read the state of the feeds over the same connection."""

        def look() -> tuple[tuple[str | None, bool], Overview | None]:
            try:
                with self._database.connect(Role.JOBS) as conn:
                    return (None, schema.check(conn) != schema.HEAD), overview(conn)
            except SchemaMismatch as error:
                return (error.message, False), None

        try:
            found, self.feeds = await asyncio.to_thread(look)
        except DatabaseError as error:
            self.feeds = None
            log.warning("the check of the schema failed", error=error.message)
            return
        if found[0] not in (None, self.fault) or found[1] != self.is_behind:
            log.warning("the check of the schema has a new result", fault=found[0], is_behind=found[1])
        self.fault, self.is_behind = found

    def _app(self) -> App:
        connector = PsycopgConnector(
            kwargs=self._database.connect_options(Role.JOBS),
            configure=self._prepare,
            min_size=1,
            max_size=POOL,
            timeout=CONNECT["connect_timeout"],
        )
        app, deliveries = App(connector=connector), Deliveries(self._settings)

        @app.periodic(cron=f"* * * * * */{LOOK_SECONDS}")
        @app.task(name="look_around", queue=SITE)
        async def look_around(timestamp: int) -> None:
            await self._look_around(connector, load_feed)
            for webhook_id in await deliveries.make_messages(connector):
                lock = f"webhook:{webhook_id}"
                if not await _is_busy(connector, lock):
                    await deliver.configure(lock=lock).defer_async(webhook_id=webhook_id)

        @app.periodic(cron="*/10 * * * *")
        @app.task(name="refresh_suggestions", queue=SITE, lock="refresh_suggestions", retry=_Retry())
        async def refresh_suggestions(timestamp: int) -> None:
            async with connector.pool.connection() as conn:
                await conn.execute("select shop.refresh_suggestions()")

        @app.periodic(cron="47 * * * *")
        @app.task(name="refresh_signals", queue=SITE, lock="refresh_signals", retry=_Retry())
        async def refresh_signals(timestamp: int) -> None:
            async with connector.pool.connection() as conn:
                await conn.execute("select shop.refresh_signals()")

        @app.periodic(cron="17 * * * *")
        @app.task(name="delete_old", queue=SITE, lock="delete_old", retry=_Retry())
        async def delete_old(timestamp: int) -> None:
            await self._delete_old(app, connector)

        @app.task(name="load_feed", queue=FEEDS, retry=_Retry())
        async def load_feed(name: str) -> None:
            await self._load_feed(connector, name)

        @app.task(name="deliver", queue=WEBHOOKS, retry=_Retry())
        async def deliver(webhook_id: int) -> None:
            await deliveries.deliver(connector, webhook_id)

        return app

    async def _prepare(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Let procrastinate's statements, which name no schema, find its tables."""
        self._pooled[conn] = None
        await conn.execute("set search_path = shop_jobs")
        await conn.commit()

    async def _look_around(self, connector: PsycopgConnector, load_feed: Any) -> None:
        async with connector.pool.connection() as conn:
            await conn.execute("select shop_private.take_up_jobs(%s, %s)", (self._settings.dead_seconds, ATTEMPTS))
        async with connector.pool.connection() as conn:  # one transaction: a due feed becomes one job
            for name, cron, now in await (await conn.execute(_DUE)).fetchall():
                lock = f"feed:{name}"
                try:
                    await conn.execute(_NEXT, (next_time(cron, now), name))
                except SettingsError as error:  # somebody has changed the row by hand
                    log.warning("a feed has no next time", feed=name, error=error.message)
                    continue
                [is_busy] = await (await conn.execute(_IS_BUSY, (lock,))).fetchone() or [False]
                if is_busy:
                    log.info("a feed is due while its last load runs; this time is skipped", feed=name)
                    continue
                await load_feed.configure(lock=lock, connection=conn).defer_async(name=name)

    async def _load_feed(self, connector: PsycopgConnector, name: str) -> None:
        async with connector.pool.connection() as conn:
            row = await (await conn.execute(_ARGUMENTS, (name,))).fetchone()
        if row is None:  # the schedule was removed after the job was made
            return
        log.info("the load of a feed begins", feed=name)
        ended = await self._load(name, row[0], self._settings.feed_seconds)
        self.loads["failed" if ended.exit_code else "succeeded"] += 1
        async with connector.pool.connection() as conn:
            await conn.execute(_ENDED, (ended.exit_code, ended.report[-MAX_REPORT:], name))
        last = next(iter(reversed(ended.report.strip().splitlines())), "")
        log.info("the load of a feed has ended", feed=name, exit_code=ended.exit_code, report=last)
        if ended.may_succeed_later:
            raise FeedFailed(last)

    async def _delete_old(self, app: App, connector: PsycopgConnector) -> None:
        for what, days in (("events", self._settings.event_days), ("queries", self._settings.query_days)):
            deleted = BATCH
            total = 0
            while deleted == BATCH:  # each batch is a transaction of its own
                async with connector.pool.connection() as conn:
                    statement = f"select shop_private.delete_old_{what}(%s, %s)"
                    [deleted] = await (await conn.execute(statement, (days, BATCH))).fetchone() or [0]
                total += deleted
            if total:
                log.info("old rows are deleted", rows=what, deleted=total)
        async with connector.pool.connection() as conn:
            await conn.execute("select shop_private.delete_old_salts()")
        await app.job_manager.delete_old_jobs(KEEP_FAILED_HOURS, include_failed=True, include_aborted=True)


async def _is_busy(connector: PsycopgConnector, lock: str) -> bool:
    async with connector.pool.connection() as conn:
        return bool((await (await conn.execute(_IS_BUSY, (lock,))).fetchone() or [False])[0])
