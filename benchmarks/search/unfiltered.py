"""Measures search without a filter. Compares the raw statement with other indexes, and shop.search with the raw
statement.

The raw statement and the other indexes run with the smallest ef whose recall reaches the target. So their times can be
compared at equal recall.
"""

from collections.abc import Sequence
from functools import partial

from benchmarks.search import postgres
from benchmarks.search.data import KINDS, Kind
from benchmarks.search.load import Shop
from benchmarks.search.peers import Hnswlib, Peer
from benchmarks.search.postgres import Filter, Sessions
from benchmarks.search.timing import FINE_EFS, Figures, K, Questions, Strategy, in_turns, trial, with_smallest_ef
from benchmarks.support.report import Line, Report, Table, milliseconds

TARGET = 0.99  # least recall@10
RAW, CALL, AS_JSON, SAME, PING = (
    "pgvector, raw statement",
    "shop.search, one leg",
    "shop.search, the vector as JSON",
    "raw statement at the recall of shop.search",
    "a statement that does nothing",
)


def run(shop: Shop, peers: Sequence[Peer], count: int, *, with_search: bool) -> Report:
    lines: list[Line] = []
    tables: list[Table] = []
    raw: dict[str, object] = {"rows": shop.catalog.rows, "queries": count}
    for kind in KINDS:
        found = measure(shop, peers, kind, count, with_search=with_search)
        lines += goals(kind, found)
        tables.append(
            Table(
                f"{kind}-like queries",
                ["", "setting", "recall@10", "p50", "p95", "p99"],
                [
                    [what, each.name, f"{each.recall:.3f}", *(milliseconds(each.at(q)) for q in (0.5, 0.95, 0.99))]
                    for what, each in found.items()
                    if what != PING
                ],
            )
        )
        raw[kind] = {what: each.as_json() for what, each in found.items()}
    title = f"Search without a filter, {shop.catalog.rows:,} products, {count} queries, k = {K}"
    return Report("search_unfiltered", title, lines, raw, tables, shop.described())


def measure(shop: Shop, peers: Sequence[Peer], kind: Kind, count: int, *, with_search: bool) -> dict[str, Figures]:
    queries = shop.catalog.queries(kind, count, seed=1)
    questions = Questions(shop.catalog.images, queries)
    with Sessions(shop) as sessions:
        raw = partial(postgres.unfiltered, sessions, questions)
        strategies: dict[str, Strategy] = {RAW: with_smallest_ef(raw, TARGET, FINE_EFS)}
        for peer in peers:
            asked = partial(peer.strategy, questions, filter=Filter())
            strategies[peer.name] = with_smallest_ef(asked, TARGET, FINE_EFS)
        strategies[PING] = sessions.strategy("", questions, "select null where false", [{}] * count)
        if with_search:
            texts = [f"unfiltered {kind} {number}" for number in range(count)]
            postgres.remember(shop, texts, queries)
            strategies[CALL] = postgres.search(sessions, "calibrated", questions, texts)
            strategies[AS_JSON] = postgres.search(sessions, "calibrated", questions, queries)
            reached = trial(strategies[CALL])
            assert reached is not None
            strategies[SAME] = with_smallest_ef(raw, reached.recall, FINE_EFS)
        figures = in_turns(list(strategies.values()))
    return dict(zip(strategies, figures, strict=True))


def goals(kind: Kind, found: dict[str, Figures]) -> list[Line]:
    raw, name = found[RAW], f"{kind}-like"
    lines = [
        Line(f"{name}: recall@10 of the raw statement", f"{raw.recall:.3f}", f">= {TARGET}", raw.recall >= TARGET),
        Line(f"{name}: {PING}, p50", milliseconds(found[PING].p50)),
    ]
    if Hnswlib.name in found:
        ratio = raw.p50 / found[Hnswlib.name].p50
        lines.append(Line(f"{name}: p50 against hnswlib's", f"{ratio:.2f} x", "<= 1.5 x", ratio <= 1.5))
    if CALL in found:
        call, same = found[CALL].p50 - raw.p50, found[CALL].p50 - found[SAME].p50
        lines += [
            Line(f"{name}: {CALL}, recall@10", f"{found[CALL].recall:.3f}"),
            Line(f"{name}: p50 of {CALL}, beyond the raw statement's", milliseconds(call), "<= 1 ms", call <= 0.001),
            Line(f"{name}: p50 of {CALL}, beyond the {SAME}", milliseconds(same), "<= 1 ms", same <= 0.001),
        ]
    return lines
