"""Measures shop.search with a filter on the product type, before and after the product types get label indexes. A label
index is an HNSW index over the vectors of the products with one value of a field.

For each category of at least LEAST products, queries from the category and queries from other categories are measured.
The goal compares a labelled search with a search without a filter in another catalog, which has only as many products
as the category. The label indexes are calibrated first. Each of the two catalogs has a server of its own, and the
servers answer in turns. A filter on a list of two categories is measured too; a search with this filter reads two label
indexes.

The build of the label indexes is compared with a build of the two HNSW indexes (of images and of titles) of the whole
catalog, by the same statement.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
from sqlalchemy import text

from benchmarks.search import postgres
from benchmarks.search.data import SHARES
from benchmarks.search.load import Shop
from benchmarks.search.postgres import Filter, Sessions, calibrate
from benchmarks.search.timing import Figures, K, Questions, in_turns
from benchmarks.support.report import Line, Report, Table, milliseconds
from db.lifecycle import deferred_indexes
from db.settings import Settings
from migrations.label_indexes import add_labels, drop_labels

LEAST = 5_000  # products of a label
FIELD = "product_type"
FAMILIES = {"own": "the label's own queries", "other": "queries of other labels"}


def sizes(rows: int) -> list[int]:
    """Returns the numbers of products of the measured categories."""
    return [round(rows * share) for share in SHARES if rows * share >= LEAST]


def run(shop: Shop, alone: Sequence[Shop], count: int) -> Report:
    """Measure `shop`, whose label indexes are built here, against `alone`, which has a shop for each of `sizes`."""
    settings = Settings(home=shop.folder / "home")
    drop_labels(shop.database, settings, FIELD)
    whole_seconds = _build_whole(shop)
    before = {name: figures for name, figures, _ in _measured(shop, [], count)}
    began = time.perf_counter()
    added = add_labels(shop.database, settings, FIELD, min_rows=LEAST)
    deferred_indexes.build(shop.database)
    seconds = time.perf_counter() - began
    calibrate(shop)  # measures the indexes of the labels
    found = list(_measured(shop, alone, count))
    drop_labels(shop.database, settings, FIELD)
    lines = []
    for family, what in FAMILIES.items():
        ratios = {name: own.p50 / base.p50 for name, own, base in found if base and name.startswith(family)}
        worst = max(ratios, key=ratios.__getitem__)
        lines.append(
            Line(
                f"{what}: p50 of a labelled search / p50 of a search in a catalog of as many products, worst ({worst})",
                f"{ratios[worst]:.2f} x",
                "<= 1.2 x",
                ratios[worst] <= 1.2,
            )
        )
    lowest = min(figures.recall for _, figures, _ in found)
    lines += [
        Line("lowest recall@10 of the labelled searches", f"{lowest:.3f}", ">= 0.97", lowest >= 0.97),
        Line(f"copies of the vectors and indexes of {len(added.values)} labels", f"{seconds:.0f} s"),
        Line(
            f"copies and indexes of {len(added.values)} labels / both indexes of the whole catalog",
            f"{seconds / whole_seconds:.2f} x",
            "<= 1.2 x",
            seconds <= 1.2 * whole_seconds,
        ),
    ]
    rows = [
        [name, *(f"{milliseconds(each.p50)} / {each.recall:.3f}" if each else "" for each in (before[name], own, base))]
        for name, own, base in found
    ]
    header = ["queries", "without labels", "with labels", "catalog of as many products, no filter"]
    table = Table("shop.search, image leg, text-like queries: p50 / recall@10", header, rows)
    raw = {
        "rows": shop.catalog.rows,
        "seconds": seconds,
        "whole_seconds": whole_seconds,
        "cells": {
            name: {"without": before[name].as_json(), "with": own.as_json(), "alone": base.as_json() if base else None}
            for name, own, base in found
        },
    }
    title = f"Search in one product type, {shop.catalog.rows:,} products, {count} queries a cell, k = {K}"
    return Report("search_labels", title, lines, raw, [table], shop.described())


def _build_whole(shop: Shop) -> float:
    """Build both indexes of the whole catalog a second time, and drop them. Returns the seconds."""
    seconds = 0.0
    with shop.database.connect(None) as connection:
        conn = connection.execution_options(isolation_level="AUTOCOMMIT")
        for table in ("bench_image", "bench_title"):
            definition = str(conn.scalar(text(f"select pg_get_indexdef(to_regclass('shop.{table}_hnsw'))")))
            again = definition.replace(f"INDEX {table}_hnsw", f"INDEX CONCURRENTLY {table}_again")
            deferred_indexes.raise_memory(conn, table)
            began = time.perf_counter()
            try:
                conn.exec_driver_sql(again)
                seconds += time.perf_counter() - began
            finally:
                conn.exec_driver_sql(f"drop index concurrently if exists shop.{table}_again")
    return seconds


def _measured(shop: Shop, alone: Sequence[Shop], count: int) -> Iterator[tuple[str, Figures, Figures | None]]:
    """Yields each cell's name, its figures, and the figures of a catalog with as many products, if `alone` has one."""
    of = range(len(sizes(shop.catalog.rows)))
    cells: list[tuple[int, ...]] = [(category,) for category in of]
    if len(of) > 1:
        cells.append((of[-2], of[-1]))
    for categories in cells:
        names = [shop.catalog.categories[category] for category in categories]
        for family in FAMILIES:
            queries = (
                shop.catalog.queries("text", count, of=categories[0])
                if family == "own"
                else shop.catalog.queries("text", count, not_of=categories[0])
            )
            questions = Questions(shop.catalog.images, queries, np.isin(shop.catalog.category, categories))
            name = f"{family} {' or '.join(names)}"
            texts = [f"label {name} {number}" for number in range(count)]
            with ExitStack() as stack:
                postgres.remember(shop, texts, queries)
                sessions = stack.enter_context(Sessions(shop))
                filter_ = Filter({FIELD: names[0] if len(names) == 1 else names}, "", "")
                asked = [postgres.search(sessions, "labelled", questions, texts, filter_.json)]
                for other in alone[categories[0] : categories[0] + 1] if len(categories) == 1 else ():
                    base = other.catalog.queries("text", count)
                    base_texts = [f"alone {number}" for number in range(count)]
                    postgres.remember(other, base_texts, base)
                    other_sessions = stack.enter_context(Sessions(other))
                    asked.append(
                        postgres.search(other_sessions, "alone", Questions(other.catalog.images, base), base_texts)
                    )
                figures = in_turns(asked)
            said = "; ".join(f"{each.p50 * 1000:.2f} ms {each.recall:.3f}" for each in figures)
            print(f"{name}: {said}", flush=True)
            yield name, figures[0], figures[1] if len(figures) > 1 else None
