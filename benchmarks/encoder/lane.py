"""Runs the catalog lane, the encoder's loop over the titles and images of products, in this process. Measures its times
and its CPU-seconds."""

import os
import threading
import uuid
from contextlib import ExitStack

import psutil
from sqlalchemy import Connection, text

from benchmarks.support.site import Site
from db.roles import Role
from db.work import items as work
from encoder import starter
from encoder.lanes.catalog import CatalogLane
from encoder.lanes.pipeline import Pipeline, StageTimer
from encoder.models import export
from encoder.models.loading import Model, load
from encoder.settings import EncoderSettings
from windowshop.output.exporting import sample_images, sample_texts


def drive(measured: Site, model: Model, settings: EncoderSettings) -> tuple[StageTimer, float]:
    """Encode all items on the work list. Returns the times of the stages, and the CPU-seconds of this process, its
    decoder processes and its PostgreSQL backends."""
    worker, stop = uuid.uuid4(), threading.Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(measured.database.connect(Role.ENCODER)) for _ in range(3)]
        claiming, opening, writing = connections
        with claiming.begin():
            number = work.models(claiming)[0].model_id
            work.heartbeat(claiming, worker, "bench", os.getpid(), model.device, 600)
        lane, pipeline = CatalogLane(worker, {number: model}, settings), Pipeline()
        backends = [_backend(conn) for conn in connections]
        before = _cpu_seconds(backends)
        pipeline.run("claim", lane.read(claiming, stop, once=True), lane.stages(opening, writing))
        lane.close()
        used = _cpu_seconds(backends) - before
        with writing.begin():
            work.release(writing, worker)
    if lane.counters.failed:
        raise RuntimeError(f"{lane.counters.failed} images failed")
    return pipeline.timer, used


def export_starter(measured: Site) -> None:
    """Export the starter into the folder `exports` of the site's home folder, as `windowshop model add` does."""
    export.write(load(starter.NAME), measured.settings.home / "exports", sample_texts(), sample_images())


def _backend(conn: Connection) -> psutil.Process:
    with conn.begin():
        return psutil.Process(conn.scalar(text("select pg_backend_pid()")))


def _cpu_seconds(backends: list[psutil.Process]) -> float:
    own = os.times()
    servers = sum(sum(backend.cpu_times()[:2]) for backend in backends)
    return own.user + own.system + own.children_user + own.children_system + servers
