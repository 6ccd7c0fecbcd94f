"""Runs the encoder process, which loads models, reports heartbeats, and encodes queries and the catalog.

After SIGTERM or SIGINT, the process finishes the current batches, puts all other claimed items back on the work list,
and exits 0. When a side thread (the heartbeat or the query lane) fails, the process ends, so that its supervisor starts
a complete process.
"""

import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import text

from db import schema
from db.engine import Database
from db.errors import DatabaseError
from db.pooler import refuse_transaction_pooler
from db.roles import Role
from db.work import fetching
from db.work import items as work
from db.work.fetching import FailingHost
from db.work.items import Backlog, ModelRow, Outstanding
from encoder.errors import ModelMismatch, ModelUnavailable
from encoder.heartbeat import Heartbeat
from encoder.index_build import IndexBuild
from encoder.lanes.batches import Counters
from encoder.lanes.catalog import DEPTH, CatalogLane
from encoder.lanes.pipeline import Pipeline, StageTimer
from encoder.lanes.queries import QueryLane
from encoder.model_watch import ModelWatch
from encoder.models.engines import choose
from encoder.models.loading import Model, load, pick_device
from encoder.probes import Probes
from encoder.settings import EncoderSettings
from encoder.silent_connections import SilentConnections

log = structlog.get_logger()

BREAK_SECONDS = 5.0  # after `stop` is set, connections that still wait for the server are broken at this interval

OnStart = Callable[[Counters, Outstanding], None]


@dataclass
class RunSummary:
    counters: Counters
    timer: StageTimer
    left: Outstanding | None  # None if the encoder was stopped while the database did not answer
    failing: list[FailingHost]


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; after that, a further signal raises SystemExit."""

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            raise SystemExit(128 + number)
        stop.set()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def load_models(database: Database, settings: EncoderSettings, only: list[str] | None = None) -> dict[int, Model]:
    """Load all models that are not retired. Returns the models by model_id, with the serving model first.

    With `only`, loads only the models with these names. Raises ModelUnavailable for an unknown or retired name in
    `only`, if there is no model to load, or if a model cannot be loaded. Raises ModelMismatch for a model with other
    weights or another dimension than when it was added. Also raises errors of the database, such as SchemaMismatch.
    """
    refuse_transaction_pooler(database, Role.ENCODER, "an encoder")
    with database.connect(Role.ENCODER) as conn:
        schema.check(conn)
        rows = work.models(conn)
    if only:
        unknown = set(only) - {row.name for row in rows}
        if unknown:
            raise ModelUnavailable(
                f"no such model, or retired: {', '.join(sorted(unknown))}", hint='See "windowshop model list".'
            )
        rows = [row for row in rows if row.name in only]
    if not rows:
        raise ModelUnavailable("there is no model, or all are retired", hint='Add one: "windowshop model add starter".')
    picked = pick_device(settings.device)
    return {row.model_id: _load_row(row, picked, settings) for row in rows}


def run(
    database: Database,
    models: Mapping[int, Model],
    settings: EncoderSettings,
    *,
    stop: threading.Event,
    once: bool = False,
    queries: bool = True,
    follow: bool = False,
    on_start: OnStart = lambda _counters, _left: None,
    on_ready: Callable[[], None] = lambda: None,
    probes: Probes | None = None,
) -> RunSummary:
    """Encode the catalog and, with `queries`, answer queries. Ends when `stop` is set or a side thread fails. With
    `once`, also ends when `work.is_idle` finds nothing to encode. Raises the error of a side thread that failed, or
    DatabaseError.

    With `follow` and without `once`, models that are added while the encoder runs are loaded and served too.

    `on_ready` is called after the start. With `queries`, the start waits until queries can be answered. `on_start` gets
    the counters and the outstanding work at the start of each pass over the catalog.
    """
    for model in models.values():
        # Searches wait for an encoder as soon as it has called `requests.report_alive`, so the models warm up first.
        model.warm_up()
    counters, probes = Counters(), probes or Probes()

    def make(models: Mapping[int, Model]) -> _Encoder:
        probes.metrics.engines(model.engines for model in models.values())
        return _Encoder(database, models, settings, once=once, queries=queries, counters=counters, probes=probes)

    encoder = make(models)
    picked = next(iter(models.values())).device
    watch = ModelWatch(
        database, models, (lambda row: _load_row(row, picked, settings)) if follow and not once else None, stop
    )
    watch.start()
    SilentConnections(database, stop).start()
    with _ending_waits(database, stop, watch):
        try:
            watch.set_halt(encoder.halt)
            encoder.start()
            on_ready()
            encoder.encode_catalog(on_start)
            while not stop.is_set() and (more := watch.take()):
                previous, encoder = encoder, make(more)
                try:
                    encoder.start()  # before the previous encoder ends, so that queries are always answered
                finally:
                    previous.end()
                watch.set_halt(encoder.halt)
                log.info("the encoder serves an added model", models=len(more))
                encoder.encode_catalog(on_start)
        finally:
            probes.stop()
            stop.set()
            encoder.end()
            watch.join()
        return encoder.summary()


@contextmanager
def _ending_waits(database: Database, stop: threading.Event, watch: ModelWatch) -> Iterator[None]:
    """When `stop` is set, halt the encoder. Then, every BREAK_SECONDS, break the connections that still wait for the
    server, because a server that no longer answers would keep the encoder from ending."""
    ended = threading.Event()

    def end_waits() -> None:
        stop.wait()
        watch.halt()
        while not ended.wait(BREAK_SECONDS):
            database.end_waits()

    threading.Thread(target=end_waits, name="end waits", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


class _Encoder:
    """One worker and its threads. `halt` ends the encoding of the catalog, and so does a side thread that fails."""

    def __init__(
        self,
        database: Database,
        models: Mapping[int, Model],
        settings: EncoderSettings,
        *,
        once: bool,
        queries: bool,
        counters: Counters,
        probes: Probes,
    ) -> None:
        self._database = database
        self._model_ids = list(models)
        self._stop = stop = threading.Event()
        self._once = once
        self._worker = uuid.uuid4()
        self._end_queries = threading.Event()
        self._probes, self._counters = probes, counters
        self._queries = self._query_lane(settings, models) if queries else None
        device = next(iter(models.values())).device
        self._heartbeat = Heartbeat(database, self._worker, device, settings.lease_seconds, self._model_ids, stop)
        self._indexes = IndexBuild(database, self._model_ids, wait=once)
        self._catalog = CatalogLane(
            self._worker,
            models,
            settings,
            counters,
            before_forward=self._let_queries_pass,
            when_done=self._indexes,
            on_batch=probes.metrics.batch,
        )
        self._pipeline = self._new_pipeline()
        self._is_released = False

    def start(self) -> None:
        """Start the side threads. Wait until queries can be answered, or until the query lane or the encoder ends."""
        self._heartbeat.start()
        lane = self._queries
        if lane is not None:
            lane.start()
            while not lane.ready.wait(0.1) and lane.is_alive() and not self._stop.is_set():
                pass
            self._heartbeat.answer_queries()
        self._probes.follow(lane, self._heartbeat)
        self._probes.metrics.watch(
            heartbeat_age=lambda: self._heartbeat.age,
            lane_is_ready=lambda: lane is not None and lane.ready.is_set(),
            counters=self._counters,
            read_backlog=self._backlog,
        )

    def halt(self) -> None:
        """End `encode_catalog`. Queries are answered until `end`."""
        self._stop.set()

    def encode_catalog(self, on_start: OnStart) -> None:
        """Encode the catalog until `halt` is called or, with `once`, until nothing is left to encode. After a database
        error, connect again; with `once`, raise the error."""
        is_lost, is_deferred = False, False
        while True:
            try:
                if not is_deferred:
                    self._indexes.defer()
                    is_deferred = True
                if is_lost and not self._stop.is_set():
                    # Give back the items of the lost pipeline, so that any encoder may claim them.
                    _release(self._database, self._worker)
                    self._heartbeat.beat()
                return self._one_pass(on_start)
            except DatabaseError as error:
                if self._once:
                    raise
                log.warning("the catalog lane starts over after a database error", error=error.message)
                self._catalog.start_over()
                self._pipeline, is_lost = self._new_pipeline(), True
                if self._stop.wait(1.0):
                    return None

    def end(self) -> None:
        """Stop the lanes and the heartbeat, wait for them, and put claimed items back on the work list."""
        self._end_queries.set()
        self._stop.set()
        self._catalog.close()
        self._heartbeat.end()
        if self._queries and self._queries.ident:
            self._queries.join()
        self._is_released = _release(self._database, self._worker)

    def summary(self) -> RunSummary:
        """Returns the counters of the run, and the times of the stages since the catalog lane last started over. Also
        returns the outstanding work if the claimed items were put back or `once` is set. Raises the error of a side
        thread that failed."""
        for side in (self._queries, self._heartbeat):
            if side is not None and side.error is not None:
                raise side.error
        left: Outstanding | None = None
        failing: list[FailingHost] = []
        if self._is_released or self._once:
            with self._database.connect(Role.ENCODER) as conn:
                left, failing = work.outstanding(conn, self._model_ids), fetching.failing_hosts(conn)
        return RunSummary(self._catalog.counters, self._pipeline.timer, left, failing)

    def _one_pass(self, on_start: OnStart) -> None:
        """Run the catalog lane until it ends or the database fails. Claiming, preparing and writing have a connection
        each."""
        with ExitStack() as stack:
            claiming, preparing, writing = (stack.enter_context(self._database.connect(Role.ENCODER)) for _ in range(3))
            with claiming.begin():
                on_start(self._catalog.counters, work.outstanding(claiming, self._model_ids))
            batches = self._catalog.read(claiming, self._stop, once=self._once)
            self._pipeline.run("claim", batches, self._catalog.stages(preparing, writing))

    def _query_lane(self, settings: EncoderSettings, models: Mapping[int, Model]) -> QueryLane:
        return QueryLane(
            self._database,
            settings,
            models,
            stop=self._end_queries,
            broken=self._stop,
            metrics=self._probes.metrics,
        )

    def _new_pipeline(self) -> Pipeline:
        return Pipeline(DEPTH, StageTimer(observe=self._probes.metrics.stage))

    def _backlog(self) -> Backlog:
        with self._database.connect(Role.ENCODER) as conn:
            conn.execute(text("set statement_timeout = '3s'"))
            return work.backlog(conn, self._model_ids)

    def _let_queries_pass(self) -> None:
        """Wait while the query lane answers queries, but for at most one second."""
        if self._queries is not None:
            self._queries.idle.wait(1.0)


def _load_row(row: ModelRow, device: str, settings: EncoderSettings) -> Model:
    compiled = settings.images_a_batch(device) if settings.compile else 0
    choice = choose(
        row.source,
        row.revision,
        device,
        engine=settings.engine,
        precision=settings.precision,
        root=settings.export_folder(),
    )
    model = load(row.source, device, row.revision, precision=choice.precision, compiled=compiled)
    if model.dimension != row.dimension:
        raise ModelMismatch(
            f"model {row.name} gives {model.dimension} dimensions, but was added with {row.dimension}",
            hint=f"The files of {row.source} have changed. Restore the old files, or add the model under another name.",
        )
    if model.revision != row.revision:
        raise ModelMismatch(
            f"model {row.name} was added with the weights {row.revision}, but the loaded weights are {model.revision}",
            hint="Vectors of different weights cannot be compared. Add the model under another name: windowshop model "
            "add --as OTHER_NAME.",
        )
    return choice.use(model)


def _release(database: Database, worker: uuid.UUID) -> bool:
    """Give back the items that the worker has claimed. Returns whether this succeeded."""
    try:
        with database.connect(Role.ENCODER) as conn, conn.begin():
            conn.execute(text("set local lock_timeout = '5s'"))
            work.release(conn, worker)
    except DatabaseError as error:
        log.warning("claimed items could not be given back; their lease will run out", error=error.message)
        return False
    return True
