"""Measures filtered search for several shares of matching products. The filter is on the query's own category, on
another category, on the price, or on an attribute. Search without a filter is measured too.

A cell is one filter and one kind of query. In each cell, the forced plans first run one after another: exact plans, and
HNSW with the smallest ef_search that reaches the target. The three fastest plans that reach the target are kept. Then
these three plans, the planner's own choice, shop.search and the peers (the other indexes of peers.py) answer the same
queries in turns. The forced plan that is fastest in this second run is the oracle of the cell. Afterwards shop.search
answers RECALL_QUERIES further queries. Its recall is that of the further queries, because the recall of 40 queries has
a standard error of .01.

From a million products on, only shop.search and the peers run, because the forced plans of all cells take hours.
shop.search then answers no further queries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.search import postgres
from benchmarks.search.data import KINDS, PRICES, SHARES, WEIGHTS, Catalog, Kind, Queries
from benchmarks.search.load import Shop
from benchmarks.search.peers import Peer
from benchmarks.search.postgres import Filter, Sessions
from benchmarks.search.timing import Figures, K, Questions, Strategy, in_turns, trial, with_smallest_ef
from benchmarks.support.report import Line, Report, Table, milliseconds

TARGET = 0.98  # least recall@10 of a forced plan
RECALL_QUERIES = 200  # queries a cell for the recall of shop.search, below a million products
MILLION = 1_000_000  # from this many products on, the goals are times, not ratios to the oracle
SEARCH = "shop.search"
LEGEND = (
    "The tables show p50 in ms / recall@10, and the share of short answers, which have fewer than min(k, matches) "
    "rows. The oracle is the fastest forced plan that reaches the target; from a million products on, no plan is "
    f"forced. Below a million products, the recall of shop.search is that of {RECALL_QUERIES} other queries a cell."
)
FAMILIES = {
    "own": "the query's own category",
    "other": "a category far from the query",
    "price": "a price anywhere in the catalog",
    "weight": "an attribute without an index",
    "all": "no filter",
}


@dataclass(frozen=True)
class Cell:
    family: str
    share: float  # number of products that match / number of all products
    kind: Kind
    filter: Filter
    questions: Questions
    queries: Queries

    @property
    def name(self) -> str:
        return f"{self.family} {self.share:g} {self.kind}"

    @property
    def texts(self) -> list[str]:
        """The texts under which the query cache holds the vectors."""
        return [f"{self.name} {number}" for number in range(len(self.queries))]


@dataclass(frozen=True)
class Result:
    cell: Cell
    oracle: Figures | None  # None from a million products on
    figures: dict[str, Figures]  # name of a strategy, without its ef -> its figures
    uses_hnsw: bool | None  # whether the planner uses HNSW when iterative scans are on


def cells(catalog: Catalog, count: int, kinds: Sequence[Kind] = KINDS) -> Iterator[Cell]:
    for kind in kinds:
        for category, share in enumerate(SHARES):
            name = catalog.categories[category]
            chosen = Filter({"product_type": name}, f"p.product_type = '{name}'", f"product_type = '{name}'")
            matching = catalog.category == category
            own = catalog.queries(kind, count, of=category)
            yield Cell("own", share, kind, chosen, Questions(catalog.images, own, matching), own)
            other = catalog.queries(kind, count, not_of=category)
            yield Cell("other", share, kind, chosen, Questions(catalog.images, other, matching), other)
        queries = catalog.queries(kind, count)
        for share in (1.0, *SHARES):
            below = f"{share * PRICES:g}"
            chosen = Filter({"price": {"lt": float(below)}}, f"p.price < {below}", f"price < {below}")
            questions = Questions(catalog.images, queries, catalog.prices < round(share * PRICES * 100))
            yield Cell("price", share, kind, chosen, questions, queries)
        below = f"{0.05 * WEIGHTS:g}"
        chosen = Filter(
            {"attributes.weight": {"lt": float(below)}},
            f"(p.attributes ->> 'weight')::numeric < {below}",
            f"weight < {below}",
        )
        questions = Questions(catalog.images, queries, catalog.weights < 0.05 * WEIGHTS * 10)
        yield Cell("weight", 0.05, kind, chosen, questions, queries)
        yield Cell("all", 1.0, kind, Filter(), Questions(catalog.images, queries), queries)


def contenders(sessions: Sessions, cell: Cell, most: int = 3) -> list[Strategy]:
    """Runs the forced plans one after another. Returns the fastest plans that reach the target, at most `most` of
    them."""
    tried: list[tuple[float, Strategy]] = []

    def consider(strategy: Strategy) -> None:
        figures = trial(strategy, max_p50())
        if figures is not None and figures.reaches(TARGET):
            tried.append((figures.p50, strategy))

    def max_p50() -> float:
        return 3 * min((p50 for p50, _ in tried), default=float("inf"))

    for strategy in postgres.exact(sessions, cell.filter.condition, cell.questions):
        consider(strategy)
    for iterative in ("off", "relaxed_order"):
        by_index = partial(postgres.hnsw, sessions, cell.filter.condition, cell.questions, iterative)
        consider(with_smallest_ef(by_index, TARGET, max_p50=max_p50()))
    return [strategy for _, strategy in sorted(tried, key=lambda each: each[0])[:most]]


def measure(sessions: Sessions, cell: Cell, peers: Sequence[Peer], *, with_search: bool) -> Result:
    large = sessions.shop.catalog.rows >= MILLION
    forced = [] if large else contenders(sessions, cell)
    others = [] if large else postgres.planner(sessions, cell.filter.condition, cell.questions)
    if with_search:
        others.append(postgres.search(sessions, SEARCH, cell.questions, cell.texts, cell.filter.json))
    for peer in peers:
        others.append(with_smallest_ef(partial(peer.strategy, cell.questions, filter=cell.filter), TARGET))
    figures = in_turns([*forced, *others])
    oracle = min(figures[: len(forced)], key=lambda each: each.p50, default=None)
    named = {each.name.split(", ef")[0]: each for each in figures[len(forced) :]}
    uses_hnsw = None if large else postgres.planner_uses_hnsw(sessions, cell.filter.condition, cell.questions)
    said = "; ".join(f"{each.name} {each.p50 * 1000:.2f} ms {each.recall:.3f}" for each in figures)
    print(f"{cell.name}: {said}", flush=True)
    return Result(cell, oracle, named, uses_hnsw)


def with_recall(sessions: Sessions, result: Result, further: Cell) -> Result:
    """Returns `result`, in which the recall and the short answers of shop.search are those of the queries of `further`.
    `further` is the same cell with other queries."""
    postgres.remember(sessions.shop, further.texts, further.queries)
    found = trial(postgres.search(sessions, SEARCH, further.questions, further.texts, further.filter.json))
    assert found is not None
    figures = replace(result.figures[SEARCH], recall=found.recall, short=found.short, answers=len(further.queries))
    print(f"{further.name}: {found.recall:.4f} with {len(further.queries)} queries", flush=True)
    return replace(result, figures=result.figures | {SEARCH: figures})


def run(shop: Shop, peers: Sequence[Peer], count: int, kinds: Sequence[Kind] = KINDS, *, with_search: bool) -> Report:
    """Measure every cell with `count` queries."""
    results = []
    with Sessions(shop) as sessions:
        for cell in cells(shop.catalog, count, kinds):
            if with_search:
                postgres.remember(shop, cell.texts, cell.queries)
            results.append(measure(sessions, cell, peers, with_search=with_search))
        if with_search and shop.catalog.rows < MILLION:
            further = cells(shop.catalog, RECALL_QUERIES, kinds)
            results = [with_recall(sessions, *each) for each in zip(results, further, strict=True)]
        lines = goals(results, shop.catalog.rows)
        if with_search:
            lines += overhead(sessions, results[-1].cell)
    title = f"Filtered search, {shop.catalog.rows:,} products, {count} queries a cell, k = {K}"
    raw = {"rows": shop.catalog.rows, "queries": count, "cells": [_as_json(each) for each in results]}
    note = f"{shop.described()} {LEGEND}"
    return Report("search_filtered", title, lines, raw, tables(results), note)


def _as_json(result: Result) -> dict[str, object]:
    return {
        "family": result.cell.family,
        "share": result.cell.share,
        "kind": result.cell.kind,
        "matches": result.cell.questions.matches,
        "oracle": result.oracle.as_json() if result.oracle else None,
        "planner_uses_hnsw": result.uses_hnsw,
        "figures": {name: figures.as_json() for name, figures in result.figures.items()},
    }


def goals(results: Sequence[Result], rows: int) -> list[Line]:
    """Returns the figures of shop.search over all cells. `rows` is the number of products."""
    found = [(each, each.figures[SEARCH]) for each in results if SEARCH in each.figures]
    if not found:
        return []
    worst, lowest = min(found, key=lambda each: each[1].recall)
    short = sum(figures.short for _, figures in found)
    target = TARGET if rows < MILLION else 0.97
    lines = [
        Line(
            f"{SEARCH}: lowest recall@10 of {len(found)} cells ({worst.cell.name})",
            f"{lowest.recall:.3f}",
            f">= {target}",
            lowest.recall >= target,
        ),
        Line(f"{SEARCH}: answers with fewer than min(k, matches) rows", str(short), "0", short == 0),
    ]
    if rows < MILLION:
        return lines + _against_oracle(found) + _against_planner(found)
    own = [(each, figures) for each, figures in found if each.cell.family in ("own", "all")]
    return [
        *lines,
        _slowest("p50 in the slowest cell", found, 0.5, 0.060),
        _slowest("p99 in the slowest cell", found, 0.99, 0.150),
        _slowest("p50 in the slowest cell without a filter or in the query's own category", own, 0.5, 0.025),
    ]


Found = Sequence[tuple[Result, Figures]]  # each cell with the figures of shop.search


def _slowest(what: str, found: Found, q: float, most: float) -> Line:
    """Returns the quantile `q` of the times in the slowest cell. The goal is at most `most` seconds."""
    result, figures = max(found, key=lambda each: each[1].at(q))
    seconds = figures.at(q)
    goal = f"<= {most * 1000:g} ms"
    return Line(f"{SEARCH}: {what} ({result.cell.name})", milliseconds(seconds), goal, seconds <= most)


def _against_oracle(found: Found) -> list[Line]:
    oracles = {each.cell.name: each.oracle.p50 for each, _ in found if each.oracle}
    near = sum(figures.p50 <= 1.3 * oracles[each.cell.name] + 0.001 for each, figures in found)
    over = {each.cell.name: figures.p50 - 2 * oracles[each.cell.name] for each, figures in found}
    slowest = max(over, key=over.__getitem__)
    return [
        Line(
            f"{SEARCH}: cells whose p50 is at most 1.3 x the oracle's + 1 ms",
            f"{near} of {len(found)}",
            ">= 36 of 54",
            near * 54 >= 36 * len(found),
        ),
        Line(
            f"{SEARCH}: p50 beyond 2 x the oracle's p50, in the worst cell ({slowest})",
            milliseconds(over[slowest]),
            "<= 3 ms",
            over[slowest] <= 0.003,
        ),
    ]


def _against_planner(found: Found) -> list[Line]:
    gains = {
        each.cell.name: each.figures["planner, iterative"].p50 / figures.p50
        for each, figures in found
        if each.cell.share <= 0.01 and each.uses_hnsw
    }
    if not gains:
        return []
    least = min(gains, key=gains.__getitem__)
    what = f"p50 of the planner with HNSW / p50 of {SEARCH}, in the worst cell with <= 1% matching ({least})"
    return [Line(what, f"{gains[least]:.1f} x", ">= 8 x", gains[least] >= 8)]


def overhead(sessions: Sessions, cell: Cell) -> list[Line]:
    """Measure the time of a call that compares no vectors, because no product is cheaper than 0."""
    nothing = {"price": {"lt": 0}}
    questions = Questions(sessions.shop.catalog.images, cell.queries, np.zeros(sessions.shop.catalog.rows, bool))
    text, vector, ping = in_turns(
        [
            postgres.search(sessions, "text", questions, cell.texts, nothing),
            postgres.search(sessions, "vector", questions, cell.queries, nothing),
            sessions.strategy("ping", questions, "select null where false", [{}] * len(questions)),
        ]
    )
    return [
        Line(f"{SEARCH} of a cached text when nothing matches, p50", milliseconds(text.p50)),
        Line(f"{SEARCH} of a vector of 512 numbers as JSON when nothing matches, p50", milliseconds(vector.p50)),
        Line("a statement that does nothing, p50", milliseconds(ping.p50)),
    ]


def tables(results: Sequence[Result]) -> list[Table]:
    """Returns a table for each family and kind of query, with a row per share and a column per strategy; see LEGEND."""
    names = list(dict.fromkeys(name for each in results for name in each.figures))
    made = []
    for family, what in FAMILIES.items():
        for kind in KINDS:
            rows = [
                [f"{each.cell.share * 100:g}%", *_oracle(each), *(_shown(each.figures[name]) for name in names)]
                for each in results
                if (each.cell.family, each.cell.kind) == (family, kind)
            ]
            header = ["matching", "oracle", "the oracle's plan", *names]
            made.append(Table(f"{kind}-like queries, filter: {what}", header, rows))
    return made


def _oracle(result: Result) -> tuple[str, str]:
    return (_shown(result.oracle), result.oracle.name) if result.oracle else ("", "")


def _shown(figures: Figures) -> str:
    """Returns p50 in ms / recall, and the share of queries that returned too few rows."""
    short = f", {figures.short / figures.answers:.0%} short" if figures.short else ""
    recall = f"{figures.recall:.3f}" if figures.recall < TARGET else f"{figures.recall:.2f}"
    return f"{figures.p50 * 1000:.2f} / {recall}{short}"
