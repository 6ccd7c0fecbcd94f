"""Loads the generated catalog into a Windowshop database. Triggers are off and most indexes are built at the end, so
that loading takes only minutes.

The folder of the caller keeps one home folder for each catalog size. A home folder is used again as long as the
database schema and the generated data have not changed.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks.search.data import DIMENSION, VERSION, Catalog
from benchmarks.search.titles import COLORS, SEASONS, titles
from db.engine import Database, open_database
from db.lifecycle.serving import serve_model
from db.lifecycle.sizing import MB, suitable
from db.roles import Role
from db.settings import Settings
from migrations import upgrade as migrations
from migrations.model_revisions import NewModel, add_model

MODEL = NewModel("bench", "bench", "1", DIMENSION)
LOADED = "loaded.json"  # the seconds of each step of the load, in the folder of the shop
CACHE_BYTES = 10_240  # bytes of shared_buffers per row: enough for all tables and indexes


@dataclass
class Shop:
    """A loaded database. `numbers` maps a product_id to the number of its row in the catalog."""

    catalog: Catalog
    database: Database
    numbers: Mapping[UUID, int]
    folder: Path  # the folder of the other indexes (peers.py)

    def admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(address(self.database, None), autocommit=True)

    def described(self) -> str:
        """Returns the server's versions, memory settings and index options, for the pages of results."""
        with self.admin() as conn:
            row = conn.execute(
                "select format('PostgreSQL %s, pgvector %s, work_mem %s, shared_buffers %s, %s', "
                "current_setting('server_version'), extversion, current_setting('work_mem'), "
                "current_setting('shared_buffers'), (select substring(indexdef from 'USING.*') from pg_indexes "
                "where indexname = 'bench_image_hnsw')) from pg_extension where extname = 'vector'"
            ).fetchone()
            assert row is not None
            return f"{row[0]}."


@contextmanager
def shop(folder: Path, rows: int, seed: int = 1) -> Iterator[Shop]:
    """Yields a running server with `rows` products. If `folder` has no database of that size yet, loads one."""
    catalog = Catalog(rows, seed)
    kept = folder / f"{rows}-rows-{rows_digest(VERSION, seed)}"
    with kept_database(kept, rows, partial(load, catalog=catalog)) as database:
        yield Shop(catalog, database, product_numbers(rows), kept)


@contextmanager
def copied(plain: Shop, name: str) -> Iterator[Shop]:
    """Yields the shop in a copy of its database, and drops the copy at the end."""
    database = plain.database
    copy = replace(database, write=database.write.set(database=name), read=database.read.set(database=name))
    with psycopg.connect(address(database, None, "postgres"), autocommit=True) as conn:
        conn.execute(f"drop database if exists {name} with (force)")
        conn.execute(f"create database {name} template {database.write.database}")
        try:
            yield replace(plain, database=copy)
        finally:
            conn.execute(f"drop database {name} with (force)")


@contextmanager
def kept_database(kept: Path, rows: int, load: Callable[[Database, Settings], dict[str, float]]) -> Iterator[Database]:
    """Yields the running server in the folder `kept`. Calls `load` first if the folder has no loaded database yet. The
    shared buffers of the server are large enough for `rows` vectors."""
    settings = Settings(home=kept / "home")
    kept.mkdir(parents=True, exist_ok=True)
    kept.chmod(0o755)
    loaded = kept / LOADED  # written last, so that an interrupted load is repeated
    if not loaded.exists():
        with open_database(settings) as database, _admin(database, "postgres") as conn:
            conn.execute(f"alter system set shared_buffers = {max(2**28, rows * CACHE_BYTES) // 8192}")
        with open_database(settings) as database:
            seconds = load(database, settings)
        loaded.write_text(json.dumps(seconds))
    with open_database(settings) as database:
        migrations.upgrade(database, settings)  # a kept database may have older functions than this version
        yield database


def load(database: Database, settings: Settings, catalog: Catalog) -> dict[str, float]:
    """Load the catalog. Returns the seconds of each step."""
    vectors = {
        "bench_image": partial(copy_vectors, table="shop.bench_image", vectors=catalog.images, with_position=True),
        "bench_title": partial(copy_vectors, table="shop.bench_title", vectors=catalog.titles, with_position=False),
    }
    return fill(database, settings, MODEL, catalog.rows, products(catalog) | vectors)


def products(catalog: Catalog) -> dict[str, Callable[[psycopg.Connection[Any]], None]]:
    """Returns the functions that fill the tables of products and of images."""
    return {"product": partial(_products, catalog=catalog), "product_image": _images}


def fill(
    database: Database,
    settings: Settings,
    model: NewModel,
    rows: int,
    writers: Mapping[str, Callable[[psycopg.Connection[Any]], None]],
) -> dict[str, float]:
    """Add the model, set it as the serving model, and fill each table by the table's function in `writers`. The HNSW
    indexes get the parameters that `windowshop index status` recommends for `rows` vectors, the number of rows of the
    largest table with vectors. Returns the seconds of each step."""
    advised = suitable(rows, rows, model.dimension)
    options = f"WITH (m='{advised.m}', ef_construction='{advised.ef_construction}')"
    add_model(database, settings, model)
    serve_model(database, model.name, force=True)
    seconds: dict[str, float] = {}
    with psycopg.connect(address(database, None), autocommit=True) as conn:
        for table in ("product", "bench_image", "bench_title"):
            conn.execute(f"truncate shop.{table} cascade")
        conn.execute("insert into shop.catalog (catalog) values ('main') on conflict do nothing")
        conn.execute("set session_replication_role = replica")  # no trigger may put rows on the work list
        conn.execute(f"set maintenance_work_mem = '{advised.maintenance_work_mem // MB}MB'")
        indexes = conn.execute(
            "select n.nspname || '.' || c.relname, pg_get_indexdef(i.indexrelid) from pg_index i "
            "join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace "
            "where i.indrelid = any('{shop.product, shop.bench_image, shop.bench_title}'::regclass[]) "
            "and not i.indisunique order by c.relname"
        ).fetchall()
        for name, _ in indexes:
            conn.execute(f"drop index {name}")
        for table, write in writers.items():
            with timed(seconds, table):
                write(conn)
        for name, definition in indexes:
            with timed(seconds, name.removeprefix("shop.")):
                conn.execute(re.sub(r"WITH \(m=.*\)", options, definition))
        with timed(seconds, "vacuum analyze"):
            conn.execute("vacuum analyze")
            conn.execute("checkpoint")
    return seconds


def product_numbers(rows: int) -> dict[UUID, int]:
    return {UUID(bytes=_product_id(number)): number for number in range(rows)}


def product_key(catalog: str, sku: str) -> bytes:
    """Returns the bytes of shop.product_id()."""
    return hashlib.sha256(f"{catalog}\x1f{sku}".encode()).digest()[:16]


def _product_id(number: int) -> bytes:
    return product_key("main", f"sku-{number}")


def _products(conn: psycopg.Connection[Any], catalog: Catalog) -> None:
    random = np.random.default_rng([catalog.seed, catalog.rows, 3])
    brands = 300 * random.random(catalog.rows) ** 2  # brands with a low number have more products
    with conn.cursor().copy(
        "copy shop.product (product_id, sku, title, brand, product_type, price, currency, availability, color, "
        "attributes) from stdin"
    ) as copy:
        for number, title in enumerate(titles(catalog)):
            attributes = {
                "weight": catalog.weights[number] / 10,
                "season": SEASONS[number % len(SEASONS)],
                "parcel": {"depth": number % 40, "width": number % 60},
            }
            copy.write_row(
                (
                    UUID(bytes=_product_id(number)),
                    f"sku-{number}",
                    title,
                    f"brand {int(brands[number])}",
                    catalog.categories[catalog.category[number]],
                    f"{catalog.prices[number] / 100:.2f}",
                    "EUR",
                    "in_stock" if number % 10 else "out_of_stock",
                    COLORS[random.integers(len(COLORS))],
                    json.dumps(attributes),
                )
            )


def _images(conn: psycopg.Connection[Any]) -> None:
    conn.execute(
        "insert into shop.product_image (product_id, position, uri) "
        "select product_id, 0, 'https://cdn.example/' || sku || '.webp' from shop.product"
    )


def copy_vectors(
    conn: psycopg.Connection[Any], table: str, vectors: NDArray[np.float16], *, with_position: bool
) -> None:
    """Write the vectors of all products, shape (rows, 512), into a table with the columns of an embedding table. The
    vectors are sent by COPY BINARY. Each field consists of its length in bytes and of its value, both big-endian."""
    position = [("position_length", ">i4"), ("position", ">i2")] if with_position else []
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("id_length", ">i4"),
            ("id", "V16"),
            *position,
            ("vector_length", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f2", DIMENSION),
            ("source_length", ">i4"),
            ("source", "V32"),
        ]
    )
    columns = "product_id, position, embedding, source" if with_position else "product_id, embedding, source"
    with conn.cursor().copy(f"copy {table} ({columns}) from stdin (format binary)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for start in range(0, len(vectors), 10_000):
            part = vectors[start : start + 10_000]
            packed = np.zeros(len(part), row)
            packed["fields"] = 4 if with_position else 3
            packed["id_length"], packed["source_length"] = 16, 32
            packed["id"] = [np.void(_product_id(start + n)) for n in range(len(part))]
            if with_position:
                packed["position_length"] = 2
            packed["vector_length"], packed["dimension"], packed["vector"] = 4 + 2 * DIMENSION, DIMENSION, part
            copy.write(packed.tobytes())
        copy.write(b"\xff\xff")


@contextmanager
def timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - started
    print(f"{what}: {seconds[what]:.0f} s", flush=True)


def rows_digest(version: int, seed: int) -> str:
    """Returns a hash of what the rows depend on: the migrations, the generator's version and the seed."""
    versions = sorted((Path(migrations.__file__).parent / "versions").glob("*.py"))
    said = b"".join(path.read_bytes() for path in versions) + f"{version} {seed}".encode()
    return hashlib.sha256(said).hexdigest()[:8]


def address(database: Database, role: Role | None, name: str | None = None) -> str:
    url = database.url(role).set(drivername="postgresql")
    return (url.set(database=name) if name else url).render_as_string(hide_password=False)


def _admin(database: Database, name: str) -> psycopg.Connection[Any]:
    return psycopg.connect(address(database, None, name), autocommit=True)
