"""Loads the catalog of clusters.py into a Windowshop database that is kept for the next run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from benchmarks.search.clusters import DIMENSION, VERSION, ClusteredCatalog
from benchmarks.search.load import fill, kept_database, product_key, rows_digest
from db.engine import Database
from db.settings import Settings
from migrations.model_revisions import NewModel

MODEL = NewModel("bench", "bench", "1", DIMENSION)


@dataclass
class ClusteredShop:
    """A loaded database. `numbers` maps a product_id to the number of the product in the catalog."""

    catalog: ClusteredCatalog
    database: Database
    numbers: dict[UUID, int]


@contextmanager
def clustered_shop(folder: Path, catalog: ClusteredCatalog) -> Iterator[ClusteredShop]:
    """Yields a running server with the catalog. If `folder` has no such database yet, loads one."""
    name = f"{catalog.rows}-clustered-{len(catalog.shares)}"
    kept = folder / f"{name}-{rows_digest(VERSION, catalog.seed)}"
    with kept_database(kept, len(catalog.images), partial(load_clusters, catalog=catalog)) as database:
        yield ClusteredShop(catalog, database, {key: number for number, key in enumerate(keys(catalog))})


def keys(catalog: ClusteredCatalog) -> list[UUID]:
    return [UUID(bytes=product_key(name, f"sku-{number}")) for number, name in enumerate(catalog.catalog)]


def load_clusters(database: Database, settings: Settings, catalog: ClusteredCatalog) -> dict[str, float]:
    """Load the catalog. Returns the seconds of each step."""
    known = keys(catalog)
    return fill(
        database,
        settings,
        MODEL,
        len(catalog.images),
        {
            "product": partial(_products, catalog=catalog, known=known),
            "product_image": partial(_images, catalog=catalog, known=known),
            "bench_image": partial(_image_vectors, catalog=catalog, known=known),
            "bench_title": partial(_title_vectors, catalog=catalog, known=known),
        },
    )


def _products(conn: psycopg.Connection[Any], catalog: ClusteredCatalog, known: list[UUID]) -> None:
    for name in catalog.shares:
        conn.execute("insert into shop.catalog (catalog) values (%s) on conflict do nothing", [name])
    with conn.cursor().copy(
        "copy shop.product (product_id, catalog, sku, title, product_type, price, currency, attributes) from stdin"
    ) as copy:
        for number, key in enumerate(known):
            kind = catalog.product_type[number]
            copy.write_row(
                (
                    key,
                    str(catalog.catalog[number]),
                    f"sku-{number}",
                    f"{kind} of cluster {catalog.cluster[number]}, number {number}",
                    str(kind),
                    number % 100,
                    "EUR",
                    json.dumps({"cluster": int(catalog.cluster[number])}),
                )
            )


def _images(conn: psycopg.Connection[Any], catalog: ClusteredCatalog, known: list[UUID]) -> None:
    with conn.cursor().copy("copy shop.product_image (product_id, position, uri) from stdin") as copy:
        for number, position in zip(catalog.product.tolist(), catalog.position.tolist(), strict=True):
            copy.write_row((known[number], position, f"https://cdn.example/{number}-{position}.webp"))


def _image_vectors(conn: psycopg.Connection[Any], catalog: ClusteredCatalog, known: list[UUID]) -> None:
    register_vector(conn)
    with conn.cursor().copy(
        "copy shop.bench_image (product_id, position, embedding, source) from stdin (format binary)"
    ) as copy:
        copy.set_types(["uuid", "int2", "halfvec", "bytea"])
        rows = zip(catalog.product.tolist(), catalog.position.tolist(), catalog.images, strict=True)
        for number, position, vector in rows:
            copy.write_row((known[number], np.int16(position), HalfVector(vector), bytes(32)))


def _title_vectors(conn: psycopg.Connection[Any], catalog: ClusteredCatalog, known: list[UUID]) -> None:
    register_vector(conn)
    with conn.cursor().copy("copy shop.bench_title (product_id, embedding, source) from stdin (format binary)") as copy:
        copy.set_types(["uuid", "halfvec", "bytea"])
        for number, vector in zip(catalog.encoded.tolist(), catalog.titles, strict=True):
            copy.write_row((known[number], HalfVector(vector), bytes(32)))
