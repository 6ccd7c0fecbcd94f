"""Measures long results and the counts of a catalog: a search with k => 1000, shop.facets, and the views that count how
many products are encoded. Also reports the time of shop.calibrate()."""

import json
import time
from collections.abc import Callable

from benchmarks.search import postgres
from benchmarks.search.data import KINDS, PRICES, Kind
from benchmarks.search.filtered import MILLION
from benchmarks.search.load import Shop
from benchmarks.search.postgres import Sessions
from benchmarks.search.timing import Figures, Questions, in_turns
from benchmarks.support.report import Line, Report, Table, milliseconds, quantile

LONG = 1000  # the largest k
COUNTS = 7  # how often each view is read
CALLS = 20  # calls of shop.facets with each filter
FACETS = "select * from shop.facets(filter => %s::jsonb)"
FILTERS: dict[str, Callable[[int], dict[str, object]]] = {  # the filter of each call of shop.facets
    "no filter": lambda _: {},
    "a price that a tenth of the products have": lambda number: {"price": {"lt": PRICES / 10 + number / 100}},
    "a category that a twentieth of the products have": lambda number: {
        "product_type": "c5",
        "price": {"gte": number / 100},
    },
}


def run(shop: Shop, queries: int, calibrate_seconds: float) -> Report:
    figures = {kind: measure(shop, kind, queries) for kind in KINDS}
    counts = {name: _count_seconds(shop, name) for name in ("coverage", "model_coverage")}
    facets = {name: _facet_seconds(shop, made) for name, made in FILTERS.items()}
    large = shop.catalog.rows >= MILLION
    slowest = max(each.p50 for each in figures.values())
    lines = [
        _line("shop.search, k => 1000, image leg, p50", slowest, 0.150 if large else None),
        *(_line(f"shop.{name}, p50", seconds, 0.100 if large else None) for name, seconds in counts.items()),
        *(
            Line(f"shop.facets, {name}, p50 / p99", " / ".join(milliseconds(quantile(each, q)) for q in (0.5, 0.99)))
            for name, each in facets.items()
        ),
        Line(
            "shop.calibrate()",
            f"{calibrate_seconds:.0f} s",
            "<= 180 s" if large else "",
            calibrate_seconds <= 180 if large else None,
        ),
    ]
    table = Table(
        "k => 1000, image leg",
        ["queries", "p50", "p99", "recall@1000"],
        [
            [kind, milliseconds(each.p50), milliseconds(each.at(0.99)), f"{each.recall:.3f}"]
            for kind, each in figures.items()
        ],
    )
    raw: dict[str, object] = {
        "rows": shop.catalog.rows,
        "queries": queries,
        "calibrate_seconds": calibrate_seconds,
        "count_seconds": counts,
        "facet_seconds": facets,
        **{kind: each.as_json() for kind, each in figures.items()},
    }
    title = f"Long results and counts, {shop.catalog.rows:,} products"
    return Report("search_pages", title, lines, raw, [table], shop.described())


def measure(shop: Shop, kind: Kind, count: int) -> Figures:
    queries = shop.catalog.queries(kind, count, seed=5)
    texts = [f"pages {kind} {number}" for number in range(count)]
    postgres.remember(shop, texts, queries)
    questions = Questions(shop.catalog.images, queries, k=LONG)
    with Sessions(shop) as sessions:
        return in_turns([postgres.search(sessions, "k => 1000", questions, texts, k=LONG)])[0]


def _count_seconds(shop: Shop, view: str) -> float:
    with shop.admin() as conn:
        seconds = []
        for _ in range(COUNTS):
            started = time.perf_counter()
            conn.execute(f"select * from shop.{view}").fetchall()
            seconds.append(time.perf_counter() - started)
    return quantile(seconds, 0.5)


def _facet_seconds(shop: Shop, made: Callable[[int], dict[str, object]]) -> list[float]:
    with Sessions(shop) as sessions:
        conn, seconds = sessions.connect({}), []
        for number in range(CALLS + 1):
            started = time.perf_counter()
            if not conn.execute(FACETS, (json.dumps(made(number)),), prepare=True).fetchall():
                raise RuntimeError(f"shop.facets counts nothing with {made(number)}")
            seconds.append(time.perf_counter() - started)
    return seconds[1:]  # without the first call, which reads the functions


def _line(what: str, seconds: float, most: float | None) -> Line:
    if most is None:
        return Line(what, milliseconds(seconds))
    return Line(what, milliseconds(seconds), f"<= {most * 1000:g} ms", seconds <= most)
