"""Measures how long it takes to write the vectors of a catalog into a model's tables, and to build both HNSW indexes.
The vectors are computed beforehand.

Windowshop writes by the calls of an encoder, which defers the indexes and builds them at the end. The baseline is COPY
into two tables without keys, checks and indexes, and CREATE INDEX with the same parameters. Both work in one database
of one server. Each step runs in both, one directly after the other. Both build an index with the same
maintenance_work_mem and the same number of parallel workers.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from benchmarks.search import postgres
from benchmarks.search.data import Catalog
from benchmarks.search.load import (
    MODEL,
    Shop,
    copy_vectors,
    fill,
    kept_database,
    product_numbers,
    products,
    timed,
)
from benchmarks.search.writes.encoder_calls import write_vectors
from benchmarks.support.report import Line, Report, Table
from db.engine import Database
from db.lifecycle import deferred_indexes
from db.settings import Settings
from db.work.items import Part

GOAL = 1.15  # Windowshop may take at most this many times as long as the baseline
PARTS: tuple[Part, ...] = ("image", "title")
MODEL_ID = 1

Seconds = dict[str, float]  # the seconds of each step


def run(folder: Path, rows: int) -> Report:
    with _products_alone(folder, rows) as (shop, loaded):
        own, bare = measure(shop)
        calibrated: Seconds = {}
        with timed(calibrated, "shop.calibrate()"):
            postgres.calibrate(shop)
        described = shop.described()
    return report(rows, own, bare, loaded | calibrated, described)


@contextmanager
def _products_alone(folder: Path, rows: int) -> Iterator[tuple[Shop, Seconds]]:
    """Yields a new server with the products and images of the catalog and without vectors, and the seconds of the
    load of the products."""
    catalog, seconds = Catalog(rows), {}

    def load(database: Database, settings: Settings) -> Seconds:
        steps = fill(database, settings, MODEL, rows, products(catalog))
        seconds["products and images, by COPY with triggers off, and their indexes"] = sum(steps.values())
        return steps

    with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as made:
        Path(made).chmod(0o755)
        with kept_database(Path(made), rows, load) as database:
            yield Shop(catalog, database, product_numbers(rows), Path(made)), seconds


def measure(shop: Shop) -> tuple[Seconds, Seconds]:
    """Returns the seconds of each step in Windowshop's tables and in the bare tables."""
    vectors = {"image": shop.catalog.images, "title": shop.catalog.titles}
    definitions = _prepare(shop)
    own: Seconds = {}
    bare: Seconds = {}
    with shop.admin() as conn:
        for part in PARTS:
            conn.execute("checkpoint")
            with timed(bare, f"{part} vectors"):
                copy_vectors(conn, f"shop.bare_{part}", vectors[part], with_position=part == "image")
            conn.execute("checkpoint")
            with timed(own, f"{part} vectors"):
                write_vectors(shop.database, MODEL_ID, part, partial(_of, shop, vectors[part]))
        for part in PARTS:
            conn.execute("checkpoint")
            with timed(own, f"{part} index"):
                deferred_indexes.build(shop.database, [f"bench_{part}_hnsw"])
            conn.execute("checkpoint")
            with timed(bare, f"{part} index"):
                _create_index(shop.database, f"bare_{part}", definitions[part])
        for seconds, kind in ((own, "bench"), (bare, "bare")):
            with timed(seconds, "ANALYZE"):
                conn.execute(f"analyze shop.{kind}_image, shop.{kind}_title")
        _check(shop)
    return own, bare


def _prepare(shop: Shop) -> dict[Part, str]:
    """Lists the images and titles as work, defers the indexes, and creates the bare tables. Returns the definitions of
    the bare tables' indexes."""
    definitions: dict[Part, str] = {}
    with shop.admin() as conn:
        for part, source in (("image", "shop.product_image"), ("title", "shop.product")):
            conn.execute(
                "insert into shop_private.work (product_id, model_id, part) "
                f"select product_id, {MODEL_ID}, '{part}' from {source}"
            )
            conn.execute(f"create table shop.bare_{part} (like shop.bench_{part} including defaults)")
        conn.execute("analyze shop_private.work")
        conn.execute("set search_path = pg_catalog")  # so that definitions name every schema
        for part in PARTS:
            [(definition,)] = conn.execute(f"select pg_get_indexdef('shop.bench_{part}_hnsw'::regclass)").fetchall()
            definitions[part] = definition.replace(f"bench_{part}", f"bare_{part}")
    deferred = deferred_indexes.defer_vectors(shop.database, [MODEL_ID])
    if len(deferred) != len(PARTS):
        raise RuntimeError(f"deferred: {deferred}")
    return definitions


def _of(shop: Shop, vectors: NDArray[np.float16], product_ids: Sequence[UUID]) -> NDArray[np.float32]:
    return vectors[[shop.numbers[product_id] for product_id in product_ids]].astype(np.float32)


def _create_index(database: Database, table: str, definition: str) -> None:
    """Builds the index with the memory that Windowshop gives to its build."""
    with database.engine(None).execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
        deferred_indexes.raise_memory(conn, table)
        conn.execute(text(definition))


def _check(shop: Shop) -> None:
    """Raises RuntimeError if a table lacks a vector or a valid index."""
    with shop.admin() as conn:
        for table in (f"{kind}_{part}" for kind in ("bench", "bare") for part in PARTS):
            found = conn.execute(
                f"select (select count(*) from shop.{table}), (select bool_and(indisvalid) from pg_index "
                f"where indexrelid = 'shop.{table}_hnsw'::regclass)"
            ).fetchone()
            if found != (shop.catalog.rows, True):
                raise RuntimeError(f"{table}: {found}")


def report(rows: int, own: Seconds, bare: Seconds, others: Seconds, described: str) -> Report:
    def ratio(steps: Sequence[str]) -> float:
        return sum(own[step] for step in steps) / sum(bare[step] for step in steps)

    whole = ratio(list(own))
    lines = [
        Line(
            "vectors, both indexes and ANALYZE: time / time of COPY, CREATE INDEX and ANALYZE on bare tables",
            f"{sum(own.values()):.1f} s / {sum(bare.values()):.1f} s = {whole:.2f} x",
            f"<= {GOAL} x",
            whole <= GOAL,
        ),
        Line("both deferred builds: time / time of CREATE INDEX", f"{ratio([f'{p} index' for p in PARTS]):.2f} x"),
        Line("vectors into tables: time / time of COPY", f"{ratio([f'{p} vectors' for p in PARTS]):.2f} x"),
    ]
    table = Table(
        "Seconds of each step",
        ["step", "Windowshop", "bare tables", "ratio"],
        [
            *([step, f"{own[step]:.1f}", f"{bare[step]:.1f}", f"{ratio([step]):.2f}"] for step in own),
            *([step, f"{seconds:.1f}", "", ""] for step, seconds in others.items()),
        ],
    )
    raw = {"rows": rows, "windowshop": own, "bare": bare, "others": others}
    return Report("build", f"Vectors into tables with both indexes, {rows:,} products", lines, raw, [table], described)
