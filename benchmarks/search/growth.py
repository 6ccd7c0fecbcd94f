"""Measures how much longer a search and the build of the image index take in a catalog with many more products. The p50
of searches is compared at a recall@10 of at least TARGET. Builds are compared if the indexes have the same options."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np

from benchmarks.search import postgres
from benchmarks.search.load import LOADED, Shop
from benchmarks.search.peers import Hnswlib, peers
from benchmarks.search.postgres import Filter, Sessions
from benchmarks.search.timing import FINE_EFS, Figures, Questions, Strategy, in_turns, with_smallest_ef
from benchmarks.support.report import Line, Report, Table, milliseconds

TARGET = 0.98  # least recall@10
RAW, CALL = "pgvector, raw statement", "shop.search, one leg"


def run(shops: Sequence[Shop], count: int) -> Report:
    """Measure `shops` of several sizes, ordered by size. All shops answer queries in turns."""
    builds = [build_seconds(shop) for shop in shops]
    sizes = [shop.catalog.rows for shop in shops]
    found = measure(shops, count)
    lines = []
    if len({_options(shop) for shop in shops}) == 1:
        exponent = float(np.polyfit(np.log(sizes), np.log(builds), 1)[0])
        lines.append(
            Line(
                f"build of the image index, {sizes[0]:,} to {sizes[-1]:,} products: exponent of the time's growth",
                f"{exponent:.2f}",
                "<= 1.1",
                exponent <= 1.1,
            )
        )
    for what, figures in found.items():
        ratio = figures[-1].p50 / figures[0].p50
        reached = min(each.recall for each in figures) >= TARGET
        goal = ("<= 4 x", ratio <= 4 and reached) if what != Hnswlib.name else ()
        lines.append(Line(f"{what}: p50 at {sizes[-1]:,} against {sizes[0]:,} products", f"{ratio:.2f} x", *goal))
    if {Hnswlib.name, CALL} <= found.keys():
        grown = {what: figures[-1].p50 / figures[0].p50 for what, figures in found.items()}
        for what in (RAW, CALL):
            ratio = grown[what] / grown[Hnswlib.name]
            lines.append(Line(f"{what}: growth of p50 / hnswlib's growth", f"{ratio:.2f} x", "<= 1.1 x", ratio <= 1.1))
    table = Table(
        "p50 / recall@10, text-like queries",
        ["products", *found, "build of the index"],
        [
            [
                f"{size:,}",
                *(f"{each[n].name} {milliseconds(each[n].p50)} / {each[n].recall:.3f}" for each in found.values()),
                f"{builds[n]:.0f} s",
            ]
            for n, size in enumerate(sizes)
        ],
    )
    raw = {
        "sizes": sizes,
        "build_seconds": builds,
        "queries": count,
        "figures": {what: [each.as_json() for each in figures] for what, figures in found.items()},
    }
    return Report(
        "search_growth", "Search in a growing catalog, at equal recall", lines, raw, [table], shops[-1].described()
    )


def _options(shop: Shop) -> str:
    """Returns m and ef_construction of the image index, which suit the number of products."""
    with shop.admin() as conn:
        row = conn.execute(
            "select reloptions::text from pg_class where oid = 'shop.bench_image_hnsw'::regclass"
        ).fetchone()
    assert row is not None
    return str(row[0])


def build_seconds(shop: Shop) -> float:
    """Returns how many seconds the build of the image index took when the shop was loaded. The whole graph fitted into
    memory."""
    return float(json.loads((shop.folder / LOADED).read_text())["bench_image_hnsw"])


def measure(shops: Sequence[Shop], count: int) -> dict[str, list[Figures]]:
    """Returns the figures of each strategy for each size."""
    answered: dict[str, list[Figures]] = {}
    with ExitStack() as stack:
        asked: list[tuple[str, Strategy]] = []
        for shop in shops:
            queries = shop.catalog.queries("text", count, seed=3)
            questions = Questions(shop.catalog.images, queries)
            sessions = stack.enter_context(Sessions(shop))
            raw = partial(postgres.unfiltered, sessions, questions)
            asked.append((RAW, with_smallest_ef(raw, TARGET, FINE_EFS)))
            for peer in peers(shop.catalog, shop.folder, [Hnswlib]):
                other = partial(peer.strategy, questions, filter=Filter())
                asked.append((peer.name, with_smallest_ef(other, TARGET, FINE_EFS)))
            if postgres.calibrate(shop):
                texts = [f"growth {number}" for number in range(count)]
                postgres.remember(shop, texts, queries)
                asked.append((CALL, postgres.search(sessions, "calibrated", questions, texts)))
        for (what, _), figures in zip(asked, in_turns([strategy for _, strategy in asked]), strict=True):
            answered.setdefault(what, []).append(figures)
    return answered
