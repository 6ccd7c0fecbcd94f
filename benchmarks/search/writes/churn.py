"""Measures by how much changes of the catalog lower the recall of a search and raise its time. The searches run before
and after VACUUM, and after a rebuild of the indexes.

All changes are made in a copy of the database. In a first round, a tenth of the products gets another image of the same
kind, and a twentieth of the products is deleted and inserted again with another image. In the second round, three
tenths get another image, and again a twentieth is deleted and inserted. After each round, VACUUM runs. At the end, the
indexes are rebuilt with the same parameters. Until the rebuild, searches use the calibration from before the changes,
and no autovacuum runs. From a million products on, only the first round runs, and the indexes are not rebuilt, because
the second round and the rebuild take hours.

The searches have text-like queries and use the image leg. They run without a filter, and with a filter on the query's
own category, which a twentieth of the products passes. The recall is measured against the current vectors.
"""

import copy
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from benchmarks.search import postgres
from benchmarks.search.data import SHARES
from benchmarks.search.filtered import MILLION
from benchmarks.search.load import Shop, copied
from benchmarks.search.postgres import Sessions
from benchmarks.search.timing import Figures, Questions, in_turns
from benchmarks.search.writes.encoder_calls import write_vectors
from benchmarks.support.report import Line, Report, Table, milliseconds
from db.catalog import store
from db.catalog.product import Image, Product
from db.lifecycle.indexes import IndexState, every_index
from db.roles import Role
from db.search.calibration import calibration_advice
from db.settings import Settings
from db.work.items import Part
from migrations.reindex import rebuild_indexes
from windowshop.output.models import outgrown

TARGET = 0.97  # least recall@10 after each round and VACUUM
REPLACED = (0.1, 0.3)  # shares of the products that get another image, one for each round
RENEWED = 0.05  # share of the products that is deleted and inserted again in each round
FILTERED_SHARE = 0.05
AT_A_TIME = 1000  # products in a transaction
MODEL_ID = 1
SEARCHES = ("no filter", "own category")


@dataclass(frozen=True)
class State:
    """The figures of both searches at one moment. `size` has the bytes of the image index, and `advice` the lines of
    "windowshop index status" about a rebuild or the calibration."""

    name: str
    seconds: float  # the time of the step that led to this state
    figures: Sequence[Figures]
    size: int
    advice: Sequence[str]

    @property
    def recall(self) -> float:
        """The lower recall of both searches."""
        return min(each.recall for each in self.figures)


class Changing:
    """A shop that changes. `vectors` holds the present image vectors, shape (rows, 512)."""

    def __init__(self, shop: Shop, count: int) -> None:
        catalog = copy.copy(shop.catalog)
        catalog.images = catalog.images.copy()
        self.shop = Shop(catalog, shop.database, shop.numbers, shop.folder)
        self._ids = list(shop.numbers)
        self._category = SHARES.index(FILTERED_SHARE)
        of = (None, self._category)
        self._queries = [catalog.queries("text", count, of=category, seed=6) for category in of]
        self._texts = [[f"churn {name} {number}" for number in range(count)] for name in SEARCHES]
        for texts, queries in zip(self._texts, self._queries, strict=True):
            postgres.remember(self.shop, texts, queries)
        with self.shop.admin() as conn:
            for table in ("product", "product_image", "bench_image", "bench_title"):
                conn.execute(f"alter table shop.{table} set (autovacuum_enabled = off)")

    def state(self, name: str, seconds: float = 0.0) -> State:
        catalog = self.shop.catalog
        filters: list[tuple[NDArray[np.bool_] | None, dict[str, object] | None]] = [
            (None, None),
            (catalog.category == self._category, {"product_type": catalog.categories[self._category]}),
        ]
        with Sessions(self.shop) as sessions:
            figures = in_turns(
                [
                    postgres.search(sessions, what, Questions(catalog.images, queries, matching), texts, condition)
                    for what, (matching, condition), queries, texts in zip(
                        SEARCHES, filters, self._queries, self._texts, strict=True
                    )
                ]
            )
        indexes, advice = self._indexes()
        size = next(index.size for index in indexes if index.name == "bench_image_hnsw")
        print(f"{name}: {[(each.name, each.recall, round(each.p50 * 1000, 2)) for each in figures]}", flush=True)
        return State(name, seconds, figures, size, advice)

    def replace(self, share: float, seed: int) -> float:
        """Gives products another image of the same kind. Returns the seconds of the change."""
        chosen = self._choose(share, seed)
        self._draw(chosen, seed)
        began = time.perf_counter()
        with self.shop.admin() as conn:
            conn.execute(
                "insert into shop_private.work (product_id, model_id, part) "
                "select id, %s, 'image' from unnest(%s::uuid[]) id",
                (MODEL_ID, [self._ids[number] for number in chosen]),
            )
        self._encode()
        return time.perf_counter() - began

    def renew(self, share: float, seed: int) -> float:
        """Deletes products and inserts them again with another image. Returns the seconds of the change."""
        chosen = self._choose(share, seed)
        self._draw(chosen, seed)
        began = time.perf_counter()
        for first in range(0, len(chosen), AT_A_TIME):
            self._insert(self._delete([f"sku-{number}" for number in chosen[first : first + AT_A_TIME]]))
        with self.shop.admin() as conn:
            conn.execute("update shop_private.work set host = null")  # the vectors are known, so no image is fetched
        self._encode()
        return time.perf_counter() - began

    def vacuum(self) -> float:
        began = time.perf_counter()
        with self.shop.admin() as conn:
            conn.execute("vacuum analyze")
        return time.perf_counter() - began

    def rebuild(self) -> float:
        """Runs what "windowshop index rebuild" and "windowshop calibrate" run. Returns the seconds of the rebuild."""
        [index] = [each for each in self._indexes()[0] if each.name == "bench_image_hnsw"]
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as home:  # a revision in the server's home folder would change the kept shop
            rebuild_indexes(
                self.shop.database,
                Settings(home=Path(home)),
                m=index.m or 16,
                ef_construction=index.ef_construction or 64,
            )
        seconds = time.perf_counter() - began
        postgres.calibrate(self.shop)
        for texts, queries in zip(self._texts, self._queries, strict=True):
            postgres.remember(self.shop, texts, queries)
        return seconds

    def _choose(self, share: float, seed: int) -> NDArray[np.int64]:
        rows = self.shop.catalog.rows
        return np.random.default_rng([rows, seed]).choice(rows, round(share * rows), replace=False)

    def _draw(self, chosen: NDArray[np.int64], seed: int) -> None:
        self.shop.catalog.images[chosen] = self.shop.catalog.other_images(chosen, seed)

    def _delete(self, skus: Sequence[str]) -> list[Product]:
        columns = "sku, title, brand, product_type, price, currency, availability, color, attributes"
        with self.shop.admin() as reading:
            rows = reading.execute(f"select {columns} from shop.product where sku = any(%s)", (list(skus),)).fetchall()
        with self.shop.database.connect(Role.APP) as conn, conn.begin():
            store.delete_list(conn, skus)
        names = columns.split(", ")
        return [
            Product(**dict(zip(names, row, strict=True)), images=(Image(f"https://cdn.example/{row[0]}.webp"),))
            for row in rows
        ]

    def _insert(self, products: Sequence[Product]) -> None:
        with self.shop.database.connect(Role.APP) as conn, conn.begin():
            with store.staging(conn) as stage:
                for product in products:
                    stage(product)
            store.upsert(conn)

    def _encode(self) -> None:
        catalog, numbers = self.shop.catalog, self.shop.numbers
        stored: dict[Part, NDArray[np.float16]] = {"image": catalog.images, "title": catalog.titles}
        for part, vectors in stored.items():

            def of(ids: Sequence[UUID], vectors: NDArray[np.float16] = vectors) -> NDArray[np.float32]:
                return vectors[[numbers[product_id] for product_id in ids]].astype(np.float32)

            write_vectors(self.shop.database, MODEL_ID, part, of)

    def _indexes(self) -> tuple[list[IndexState], list[str]]:
        """Returns the indexes, and the lines of "windowshop index status" about them and about the calibration."""
        with self.shop.database.connect(Role.ANALYST) as conn:
            indexes = every_index(conn, {})
            missed = calibration_advice(conn)
        return indexes, [*outgrown(indexes), *([missed] if missed else [])]


def run(shop: Shop, count: int) -> Report:
    with copied(shop, "bench_churn") as other:
        changing = Changing(other, count)
        states = [changing.state("at the beginning")]
        large = shop.catalog.rows >= MILLION
        for number, share in enumerate(REPLACED[:1] if large else REPLACED, 1):
            what = f"{share:.0%} of the images replaced"
            seconds = changing.replace(share, number) + changing.renew(RENEWED, 10 + number)
            states.append(changing.state(what, seconds))
            states.append(changing.state(f"{what}, VACUUM", changing.vacuum()))
        if not large:
            states.append(changing.state("index rebuild and calibrate", changing.rebuild()))
    return report(shop, states, count)


def report(shop: Shop, states: Sequence[State], count: int) -> Report:
    lines = [
        Line(
            f"{state.name}: lowest recall@10",
            f"{state.recall:.3f}",
            *((f">= {TARGET}", state.recall >= TARGET) if "VACUUM" in state.name else ()),
        )
        for state in states
    ]
    last = [state for state in states if "VACUUM" in state.name][-1]
    lines += [
        Line(f"{what}: p50 after the last VACUUM / at the beginning", f"{after.p50 / before.p50:.2f} x")
        for what, before, after in zip(SEARCHES, states[0].figures, last.figures, strict=True)
    ]
    header = ["", *(f"{what}, recall@10 / p50" for what in SEARCHES), "image index", "time", "index status"]
    rows = [
        [
            state.name,
            *(f"{each.recall:.3f} / {milliseconds(each.p50)}" for each in state.figures),
            f"{state.size / 1e6:.1f} MB",
            f"{state.seconds:.0f} s" if state.seconds else "",
            "; ".join(state.advice) or "advises no rebuild",
        ]
        for state in states
    ]
    raw: dict[str, Any] = {
        "rows": shop.catalog.rows,
        "queries": count,
        "states": [
            {
                "name": state.name,
                "seconds": state.seconds,
                "bytes": state.size,
                "advice": list(state.advice),
                "figures": [each.as_json() for each in state.figures],
            }
            for state in states
        ],
    }
    title = f"Search in a changing catalog, {shop.catalog.rows:,} products"
    return Report("churn", title, lines, raw, [Table("", header, rows)], shop.described())
