"""Measures shop.search with a filter on the product type, before and after the product types get label indexes.

For each category of at least LEAST products, queries from the category and queries from other categories are measured.
The goal compares a labelled search with a search without a filter in a catalog of as many products, on a server of its
own. The servers answer in turns.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from benchmarks.search import postgres
from benchmarks.search.data import SHARES
from benchmarks.search.load import Shop
from benchmarks.search.postgres import Filter, Sessions
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
    before = {name: figures for name, figures, _ in _measured(shop, [], count)}
    began = time.perf_counter()
    added = add_labels(shop.database, settings, FIELD, min_rows=LEAST)
    deferred_indexes.build(shop.database)
    seconds = time.perf_counter() - began
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
        "cells": {
            name: {"without": before[name].as_json(), "with": own.as_json(), "alone": base.as_json() if base else None}
            for name, own, base in found
        },
    }
    title = f"Search in one product type, {shop.catalog.rows:,} products, {count} queries a cell, k = {K}"
    return Report("search_labels", title, lines, raw, [table], shop.described())


def _measured(shop: Shop, alone: Sequence[Shop], count: int) -> Iterator[tuple[str, Figures, Figures | None]]:
    """Yield each cell's name, its figures, and the figures of the catalog of as many products, if `alone` has it."""
    for category, size in enumerate(sizes(shop.catalog.rows)):
        name = shop.catalog.categories[category]
        for family in FAMILIES:
            queries = (
                shop.catalog.queries("text", count, of=category)
                if family == "own"
                else shop.catalog.queries("text", count, not_of=category)
            )
            questions = Questions(shop.catalog.images, queries, shop.catalog.category == category)
            texts = [f"label {family} {name} {number}" for number in range(count)]
            with ExitStack() as stack:
                postgres.remember(shop, texts, queries)
                sessions = stack.enter_context(Sessions(shop))
                filter_ = Filter({FIELD: name}, "", "")
                asked = [postgres.search(sessions, "labelled", questions, texts, filter_.json)]
                for other in alone[category : category + 1]:
                    base = other.catalog.queries("text", count)
                    base_texts = [f"alone {number}" for number in range(count)]
                    postgres.remember(other, base_texts, base)
                    other_sessions = stack.enter_context(Sessions(other))
                    asked.append(
                        postgres.search(other_sessions, "alone", Questions(other.catalog.images, base), base_texts)
                    )
                figures = in_turns(asked)
            said = "; ".join(f"{each.p50 * 1000:.2f} ms {each.recall:.3f}" for each in figures)
            print(f"{family} {name} ({size:,}): {said}", flush=True)
            yield f"{family} {name}", figures[0], figures[1] if len(figures) > 1 else None
