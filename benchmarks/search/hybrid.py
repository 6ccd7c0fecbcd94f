"""Measures how much longer a search with three legs (images, titles, keywords) takes than the three legs take one by
one.

The time of a search with three legs is compared with the sum of these times:

- image leg, title leg: the raw statement for 50 rows. Its ef_search is the smallest at which the image leg reaches a
  recall@10 of .98, but at least 50. The title leg uses the same ef_search. shop.search reads 50 rows of each leg, too.
- keyword leg: shop.search by keywords alone, which includes the fixed time of a call of shop.search.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.search import postgres
from benchmarks.search.data import Queries
from benchmarks.search.filtered import MILLION
from benchmarks.search.load import Shop
from benchmarks.search.postgres import Legs, Sessions
from benchmarks.search.timing import FINE_EFS, Figures, Questions, in_turns, smallest_ef
from benchmarks.search.titles import WORDINGS, Wording, query_texts
from benchmarks.support.report import Line, Report, Table, milliseconds, quantile

DEPTH = 50  # number of rows that are read from each leg
TARGET = 0.98  # recall@10 that the image leg must reach
ALL, IMAGE, TITLE, KEYWORD, CALL = "three legs", "image leg, raw", "title leg, raw", "keywords alone", "nothing matches"


def run(shop: Shop, count: int) -> Report:
    """Measure with `count` queries, an equal part of them for each wording (titles.py)."""
    queries = shop.catalog.queries("text", count, seed=2)
    found: dict[Wording, dict[str, Figures]] = {}
    for place, wording in enumerate(WORDINGS):
        part = slice(place * count // len(WORDINGS), (place + 1) * count // len(WORDINGS))
        found[wording] = measure(shop, wording, Queries(queries.vectors[part], queries.clusters[part]))
    beyond = [seconds for each in found.values() for seconds in _beyond(each)]
    lines = goals(found, beyond) if shop.catalog.rows < MILLION else goals_of_a_million(found)
    table = Table(
        "p50 / p99, ms",
        ["words of the query", *found["common"]],
        [
            [wording, *(f"{each.p50 * 1000:.2f} / {each.at(0.99) * 1000:.2f}" for each in figures.values())]
            for wording, figures in found.items()
        ],
    )
    raw: dict[str, object] = {
        "rows": shop.catalog.rows,
        "queries": count,
        "beyond": beyond,
        **{wording: {what: each.times() for what, each in figures.items()} for wording, figures in found.items()},
    }
    return Report(
        "search_hybrid", f"Hybrid search, {shop.catalog.rows:,} products", lines, raw, [table], shop.described()
    )


def goals(found: Mapping[Wording, Mapping[str, Figures]], beyond: Sequence[float]) -> list[Line]:
    excess = quantile(beyond, 0.5)
    return [
        Line(
            "a search with three legs beyond the sum of the legs' own times, p50",
            milliseconds(excess),
            "<= 0.8 ms",
            excess <= 0.0008,
        ),
        _at_most("queries of common words only, three legs, p99", [found["common"][ALL]], 0.99, 0.004),
        _at_most("queries of common words only, keywords alone, p99", [found["common"][KEYWORD]], 0.99, 0.004),
    ]


def goals_of_a_million(found: Mapping[Wording, Mapping[str, Figures]]) -> list[Line]:
    """Returns the figures of the slowest wording."""
    all_legs, keywords = ([figures[what] for figures in found.values()] for what in (ALL, KEYWORD))
    return [
        _at_most("three legs, slowest wording, p50", all_legs, 0.5, 0.060),
        _at_most("three legs, slowest wording, p99", all_legs, 0.99, 0.150),
        _at_most("keywords alone, slowest wording, p99", keywords, 0.99, 0.025),
    ]


def _at_most(what: str, figures: Sequence[Figures], q: float, most: float) -> Line:
    """Returns the quantile `q` of the slowest of `figures`. The goal is at most `most` seconds."""
    seconds = max(each.at(q) for each in figures)
    return Line(what, milliseconds(seconds), f"<= {most * 1000:g} ms", seconds <= most)


def measure(shop: Shop, wording: Wording, queries: Queries) -> dict[str, Figures]:
    texts = query_texts(shop.catalog, queries.clusters, wording)
    postgres.remember(shop, texts, queries)
    questions = Questions(shop.catalog.images, queries)
    nothing = {"price": {"lt": 0}}
    with Sessions(shop) as sessions:
        ef = max(DEPTH, smallest_ef(partial(postgres.unfiltered, sessions, questions), TARGET, FINE_EFS))
        strategies = [
            postgres.search(sessions, ALL, questions, texts, legs=Legs()),
            postgres.unfiltered(sessions, questions, ef, DEPTH),
            postgres.unfiltered(sessions, questions, ef, DEPTH, of_titles=True),
            postgres.search(sessions, KEYWORD, questions, texts, legs=Legs(image=0, title=0)),
            postgres.search(sessions, CALL, questions, texts, nothing),
        ]
        figures = in_turns(strategies)
    return dict(zip((ALL, IMAGE, TITLE, KEYWORD, CALL), figures, strict=True))


def _beyond(figures: dict[str, Figures]) -> list[float]:
    """Returns, for each query, the seconds of the three-leg search minus the seconds of the separate legs."""
    every, image, title, keyword = (figures[name].seconds for name in (ALL, IMAGE, TITLE, KEYWORD))
    return [a - i - t - w for a, i, t, w in zip(every, image, title, keyword, strict=True)]
