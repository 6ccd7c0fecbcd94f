"""Measures how long shop.what_if takes for a suite of 500 judged texts, and how long a price update waits meanwhile.

Two changes are measured: one rule that acts on every search, and a change of the prices of 10,000 products. Each is
measured twice: alone, and while another session updates the prices of these 10,000 products, one every WRITE_EVERY
seconds. All vectors of texts are in the query cache.
"""

import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.search import postgres
from benchmarks.search.load import Shop, address, shop
from benchmarks.search.titles import query_texts
from benchmarks.support.report import Line, keep
from db.roles import Role

QUERIES = 500
CHANGED = 10_000  # products whose price changes
DEPTHS = 40  # number of different parcel depths in the generated catalog; all are about equally frequent
RELEVANT = 3  # number of judged products for each query
WRITE_EVERY = 10.0  # seconds between writes; after each write, a what_if of prices has to change all 10,000 again
MOST_SECONDS, MOST_WAIT = 60.0, 0.5


@dataclass
class Writer:
    """Writes the prices of products until it is stopped. `waits` has the duration of each write in seconds."""

    shop: Shop
    skus: Sequence[str]
    waits: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with self.shop.admin() as conn:
            for sku in itertools.cycle(self.skus):
                if self._stop.wait(WRITE_EVERY):
                    return
                began = time.perf_counter()
                conn.execute("update shop.product set price = price + 0.01 where sku = %s", (sku,))
                self.waits.append(time.perf_counter() - began)

    def __enter__(self) -> "Writer":
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()


def run(rows: int, folder: Path | None) -> None:
    lines: list[Line] = []
    raw: dict[str, object] = {"rows": rows, "queries": QUERIES}
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as made:
        Path(made).chmod(0o755)
        with shop(folder or Path(made), rows) as measured:
            postgres.calibrate(measured)
            judge(measured)
            depth = max(1, DEPTHS * CHANGED // rows)
            filter_: dict[str, object] = {"attributes.parcel.depth": {"lt": depth}}
            with measured.admin() as conn:
                skus = [
                    row[0]
                    for row in conn.execute(
                        "select sku from shop.product where (attributes #>> '{parcel,depth}')::integer < %s", (depth,)
                    ).fetchall()
                ]
            rule = {"name": "bench", "condition": {"always": True}, "action": {"boost": {"brand": "brand 1"}}}
            prices = {"filter": filter_, "price_factor": 0.9}
            for what, change in (
                ("one rule", {"rule": rule}),
                (f"{len(skus):,} changed products", {"products": prices}),
            ):
                alone, changed = ask(measured, change)
                with Writer(measured, skus) as writer:
                    beside, _ = ask(measured, change)
                waits = writer.waits or [0.0]
                lines += [
                    Line(f"{what}: time alone", f"{alone:.1f} s", f"<= {MOST_SECONDS:g} s", alone <= MOST_SECONDS),
                    Line(f"{what}: time beside a writer", f"{beside:.1f} s"),
                    Line(
                        f"{what}: longest wait of a price update",
                        f"{max(waits) * 1000:.0f} ms",
                        f"<= {MOST_WAIT * 1000:g} ms",
                        max(waits) <= MOST_WAIT,
                    ),
                    Line(f"{what}: median wait of a price update", f"{statistics.median(waits) * 1000:.1f} ms"),
                    Line(f"{what}: queries with a different first page", f"{changed}"),
                ]
                raw[what] = {"alone": alone, "beside": beside, "waits": waits}
            described = measured.described()
    keep("what_if", f"Time of what_if, {QUERIES} queries, {rows:,} products", lines, raw, note=described)


def judge(measured: Shop) -> None:
    """Store the vectors of the texts, and judgements of the products that come first now."""
    queries = measured.catalog.queries("text", QUERIES, seed=13)
    texts = query_texts(measured.catalog, queries.clusters, "mixed")
    texts = [f"{text} {number}" if text in texts[:number] else text for number, text in enumerate(texts)]
    postgres.remember(measured, texts, queries)
    with measured.admin() as conn:
        conn.execute("delete from shop.judgement where suite = 'bench'")
        for text in texts:
            conn.execute(
                "insert into shop.judgement (suite, query, sku, grade) "
                "select 'bench', %s, s.sku, 4 - s.rank from shop.search(%s, k => %s) s",
                (text, text, RELEVANT),
            )
        conn.execute("analyze")


def ask(measured: Shop, change: Mapping[str, object]) -> tuple[float, int]:
    """Returns the seconds of what_if, and the number of queries whose first page changes."""
    with psycopg.connect(address(measured.database, Role.APP), autocommit=True) as conn:
        began = time.perf_counter()
        rows = conn.execute(
            "select queries, changed from shop.what_if(%s::jsonb, 'bench')", (json.dumps([change]),)
        ).fetchall()
        seconds = time.perf_counter() - began
    if rows[0][0] != QUERIES:
        raise RuntimeError(f"the suite has {rows[0][0]} queries")
    return seconds, rows[0][1]
