"""The encoder process: models, heartbeat, query lane and catalog lane, and how they end together.

SIGTERM or SIGINT finishes the batch in hand, gives back what was only claimed, and exits 0. A side thread that dies
ends the process, so that whatever supervises it starts a whole one.
"""

import os
import signal
import socket
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
from db.lifecycle import deferred_indexes
from db.roles import Role
from db.work import items as work
from db.work.items import ModelRow, Outstanding
from encoder.errors import ModelMismatch, ModelUnavailable
from encoder.lanes.batches import Counters
from encoder.lanes.catalog import DEPTH, CatalogLane
from encoder.lanes.pipeline import Pipeline, StageTimer
from encoder.lanes.queries import QueryLane
from encoder.models.loading import Model, load, pick_device
from encoder.settings import EncoderSettings

log = structlog.get_logger()


@dataclass
class Summary:
    tally: Counters
    clock: StageTimer
    left: Outstanding


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; a second one ends the process at once."""

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
    """Load the models the database keeps current, by model_id, the serving one first.

    Raises ModelUnavailable when there is none, ModelMismatch when the weights are not those it was added with.
    """
    with database.connect(Role.ENCODER) as conn:
        schema.check(conn)
        rows = work.models(conn)
    if only:
        unknown = set(only) - {row.name for row in rows}
        if unknown:
            raise ModelUnavailable(
                f"there is no model {', '.join(sorted(unknown))}", hint='See "windowshop model list".'
            )
        rows = [row for row in rows if row.name in only]
    if not rows:
        raise ModelUnavailable("no model has been added", hint='Add one: "windowshop model add starter".')
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
    on_start: Callable[[Counters, Outstanding], None] = lambda _tally, _left: None,
    on_ready: Callable[[], None] = lambda: None,
) -> Summary:
    """Serve queries and work through the catalog until `stop`; with `once`, until the work list is empty."""
    worker = uuid.uuid4()
    device = next(iter(models.values())).device
    for model in models.values():
        model.warm_up()  # before the proof of life: who is seen can answer
    lane_stop = threading.Event()
    lane = QueryLane(database, settings, models, stop=lane_stop, broken=stop) if queries else None
    beat = _Heartbeat(database, worker, device, settings.lease_seconds, stop)
    catalog = CatalogLane(
        worker,
        models,
        settings,
        before_forward=(lambda: _let_pass(lane)) if lane else (lambda: None),
        when_done=_IndexBuild(database, list(models), wait=once),
    )
    pipeline = Pipeline(DEPTH)
    try:
        beat.start()
        if lane:
            lane.start()
            while not lane.ready.wait(0.1) and lane.is_alive() and not stop.is_set():
                pass
        on_ready()
        left_out = deferred_indexes.defer_vectors(database, list(models))
        if left_out:
            log.info("indexes are left out until everything is encoded", indexes=", ".join(left_out))
        lost = False
        while True:
            try:
                if lost:
                    _release(database, worker)  # what was in the pipeline is claimed again, by us or by others
                    beat.beat()
                _catalog_pass(database, catalog, pipeline, list(models), stop, once, on_start)
                break
            except DatabaseError as error:
                if once:
                    raise
                log.warning("catalog lane lost the database", error=error.message)
                catalog.start_over()
                pipeline, lost = Pipeline(DEPTH), True
                if stop.wait(1.0):
                    break
    finally:
        lane_stop.set()
        stop.set()
        catalog.close()
        beat.join()
        if lane and lane.ident:
            lane.join()
        _release(database, worker)
    for side in (lane, beat):
        if side is not None and side.error is not None:
            raise side.error
    with database.connect(Role.ENCODER) as conn:
        return Summary(catalog.tally, pipeline.clock, work.outstanding(conn, list(models)))


def _catalog_pass(
    database: Database,
    catalog: CatalogLane,
    pipeline: Pipeline,
    model_ids: list[int],
    stop: threading.Event,
    once: bool,
    on_start: Callable[[Counters, Outstanding], None],
) -> None:
    with ExitStack() as stack:
        claiming, opening, writing = (stack.enter_context(database.connect(Role.ENCODER)) for _ in range(3))
        with claiming.begin():
            on_start(catalog.tally, work.outstanding(claiming, model_ids))
        pipeline.run("claim", catalog.read(claiming, stop, once=once), catalog.stages(opening, writing))


def _let_pass(lane: QueryLane) -> None:
    """Queries first: a catalog batch starts when nobody waits, or after a second anyway."""
    lane.idle.wait(1.0)


class _IndexBuild:
    """Builds what was left out during a backfill, once that is done; without `wait` the lanes go on meanwhile."""

    def __init__(self, database: Database, model_ids: list[int], *, wait: bool) -> None:
        self._database, self._model_ids, self._wait = database, model_ids, wait
        self._thread: threading.Thread | None = None

    def __call__(self) -> None:
        if self._wait:
            self._build()
        elif self._thread is None or not self._thread.is_alive():
            # Daemon: an encoder that is stopped does not wait; who comes next builds it.
            self._thread = threading.Thread(target=self._build, name="index", daemon=True)
            self._thread.start()

    def _build(self) -> None:
        try:
            built = deferred_indexes.build_vectors(self._database, self._model_ids)
        except DatabaseError as error:
            log.warning("indexes not built", error=error.message, hint='"windowshop index build" builds them.')
        else:
            if built:
                log.info("indexes are built", indexes=", ".join(built))


class _Heartbeat(threading.Thread):
    """Keeps the worker's lease. A third of a lease without contact is made up for by the next beat."""

    def __init__(self, database: Database, worker: uuid.UUID, device: str, lease: int, stop: threading.Event) -> None:
        super().__init__(name="heartbeat")
        self.error: BaseException | None = None
        self._database, self._worker, self._device, self._lease = database, worker, device, lease
        self._stop_event = stop
        self.beat()  # before anything can be claimed

    def beat(self) -> None:
        with self._database.connect(Role.ENCODER) as conn, conn.begin():
            work.heartbeat(conn, self._worker, socket.gethostname(), os.getpid(), self._device, self._lease)

    def run(self) -> None:
        while not self._stop_event.wait(self._lease / 3):
            try:
                self.beat()
            except DatabaseError as error:
                log.warning("no heartbeat", error=error.message)
            except BaseException as error:
                self.error = error
                self._stop_event.set()
                raise


def _load_row(row: ModelRow, device: str, settings: EncoderSettings) -> Model:
    compiled = settings.pictures_a_batch(device) if settings.compile else 0
    model = load(row.source, device, row.revision, precision=settings.precision, compiled=compiled)
    if model.dimension != row.dimension:
        raise ModelMismatch(
            f"model {row.name} gives {model.dimension} dimensions, its table holds {row.dimension}",
            hint=f"The folder {row.source} has changed. Put the old one back, or add this one under another name.",
        )
    if model.revision != row.revision:
        raise ModelMismatch(
            f"model {row.name} has other weights (revision {model.revision}) than it was added with ({row.revision})",
            hint="Vectors of different weights never mix. Add it under another name: windowshop model add --as NAME.",
        )
    return model


def _release(database: Database, worker: uuid.UUID) -> None:
    try:
        with database.connect(Role.ENCODER) as conn, conn.begin():
            conn.execute(text("set local lock_timeout = '5s'"))
            work.release(conn, worker)
    except DatabaseError as error:
        log.warning("could not give back what was claimed; its lease will run out", error=error.message)
