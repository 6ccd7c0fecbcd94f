"""Compares two versions of Windowshop by the cells of filtered.py: recall, answers with too few rows, and time of
shop.search. A cell is one filter and one kind of query.

The two home folders are prepared as for against.py. In each turn, both versions answer the same ten queries of a cell.
The version that begins a turn is drawn at random.
"""

import json
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from benchmarks.search.against import LIMIT, SEARCH, Version, server
from benchmarks.search.data import Catalog
from benchmarks.search.filtered import FAMILIES, Cell, cells
from benchmarks.search.load import product_numbers
from benchmarks.search.timing import Figures, Strategy, in_turns
from benchmarks.support.report import Line, Table, keep

QUERIES = 36  # number of queries in a cell
ROUNDS = 3  # each version answers all queries of a cell this many times
RECALL_NOISE = 0.005  # a difference of the mean recalls up to this size can be chance


@dataclass(frozen=True)
class Compared:
    cell: Cell
    this: Figures
    other: Figures

    @property
    def ratio(self) -> float:
        return self.this.p50 / self.other.p50


def run(home: Path, other_home: Path, other_python: Path, rows: int) -> None:
    catalog, numbers = Catalog(rows, 1), product_numbers(rows)
    compared = []
    with ExitStack() as stack:
        this = stack.enter_context(server(Path(sys.executable), home))
        other = stack.enter_context(server(other_python, other_home))
        for cell in cells(catalog, QUERIES):
            for version in (this, other):
                version.remember(cell.texts, cell.queries.vectors)
            strategies = [_strategy(name, v, cell, numbers) for name, v in (("this", this), ("other", other))]
            compared.append(
                Compared(cell, *map(_joined, zip(*(in_turns(strategies) for _ in range(ROUNDS)), strict=True)))
            )
            print(f"{cell.name}: {compared[-1].ratio:.3f}", flush=True)
    keep(
        "against_cells",
        f"This version against another version, filtered search, {rows:,} products",
        _lines(compared),
        {each.cell.name: {"this": each.this.as_json(), "other": each.other.as_json()} for each in compared},
        [_table(compared)],
    )


def _joined(rounds: tuple[Figures, ...]) -> Figures:
    """Returns the figures of one version over all rounds."""
    seconds = [second for each in rounds for second in each.seconds]
    recall = statistics.mean(each.recall for each in rounds)
    short, answers = sum(each.short for each in rounds), sum(each.answers for each in rounds)
    return Figures(rounds[0].name, seconds, recall, short, answers)


def _strategy(name: str, version: Version, cell: Cell, numbers: dict[UUID, int]) -> Strategy:
    options = ", title_weight => 0, keyword_weight => 0"
    if cell.filter.json is not None:
        options += f", filter => '{json.dumps(cell.filter.json)}'"
    statement = SEARCH.format(options=options)
    return Strategy(
        name,
        cell.questions,
        lambda number: version.rows(statement, cell.texts[number]),
        lambda rows: [numbers[row[0]] for row in rows],
    )


def _lines(compared: list[Compared]) -> list[Line]:
    losses = [each.other.recall - each.this.recall for each in compared]
    ratios = sorted(each.ratio for each in compared)
    short = sum(each.this.short for each in compared)
    worst = max(compared, key=lambda each: each.ratio)
    slower = sum(ratio > LIMIT for ratio in ratios)
    return [
        Line(
            "largest loss of recall@10 in a cell",
            f"{max(losses):.3f}",
            f"<= {RECALL_NOISE}",
            max(losses) <= RECALL_NOISE,
        ),
        Line("answers with fewer than min(k, matches) rows", str(short), "0", short == 0),
        Line(
            "median ratio of the cells' p50",
            f"{statistics.median(ratios):.3f}",
            f"<= {LIMIT}",
            statistics.median(ratios) <= LIMIT,
        ),
        Line(
            "cells whose p50 is more than 1.05 times the other version's",
            f"{slower} of {len(ratios)}, at most {ratios[-1]:.2f} times ({worst.cell.name})",
            "0",
            slower == 0,
        ),
    ]


def _table(compared: list[Compared]) -> Table:
    rows = [
        [
            FAMILIES[each.cell.family],
            each.cell.kind,
            f"{each.cell.share * 100:g}%",
            f"{each.this.p50 * 1000:.2f}",
            f"{each.other.p50 * 1000:.2f}",
            f"{each.ratio:.3f}",
            f"{each.this.recall:.3f}",
            f"{each.other.recall:.3f}",
        ]
        for each in compared
    ]
    header = ["filter", "queries", "matching", "p50, ms", "other's p50, ms", "ratio", "recall@10", "other's recall@10"]
    return Table("Cells, image leg alone", header, rows)
