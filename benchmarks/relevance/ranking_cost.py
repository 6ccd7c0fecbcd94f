"""Measures what signals and rules cost a search, in pairs of the same search in two databases with the same products.

- not used: the first database has no rules, and all its signals have weight 0. The second database is a copy of the
  first. In the copy, the functions of a search do not call the functions of rules and signals.
- used: the first database is compared with a copy that has 1,000 live rules and 10 signals. Five of these signals read
  views.

All three legs run. The two searches of a pair run within a fraction of a second, in a random order.
"""

import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.search import postgres
from benchmarks.search.load import Shop, copied, shop
from benchmarks.search.postgres import Legs, Sessions
from benchmarks.search.timing import Figures, Questions, in_turns
from benchmarks.search.titles import query_texts
from benchmarks.support.report import Line, Table, keep, milliseconds

RULES = 1000
GENERAL = 50  # this many rules have a `similar` condition, and this many have a `filter` condition
NOT_USED, USED = 0.00005, 0.001  # largest median of the paired differences, in seconds
# Each key is an SQL function that runs in a search. The value is the statement in which this function calls a function
# of rules or signals.
CALLS = {
    "new_run": "run.ranking := shop_private.search_ranking(p_request);",
    "run_search": "p_request := shop_private.ruled_request(p_request, run.ranking);",
    "search": "perform shop_private.tell_rules(run.ranking);",
}
BUILT_IN = ("popularity", "stock", "freshness", "rating", "discount")
VIEWS = {
    "price": ("price", "percentile"),
    "weight": ("(attributes ->> 'weight')::numeric", "log"),
    "depth": ("(attributes #>> '{parcel,depth}')::integer", "percentile"),
    "width": ("(attributes #>> '{parcel,width}')::integer", "log"),
    "age": ("created_at", "decay"),
}


def run(rows: int, pairs: int, folder: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as made:
        Path(made).chmod(0o755)
        with shop(folder or Path(made), rows) as plain:
            postgres.calibrate(plain)
            queries = plain.catalog.queries("text", pairs, seed=11)
            texts = query_texts(plain.catalog, queries.clusters, "mixed")
            postgres.remember(plain, texts, queries)
            questions = Questions(plain.catalog.images, queries)
            with copied(plain, "bench_without") as without:
                remove_calls(without)
                bare, not_used = measure({"without": without, "not used": plain}, questions, texts)
            with copied(plain, "bench_used") as used:
                acting = use(used, texts)
                plain_again, in_use = measure({"not used": plain, "used": used}, questions, texts)
            described = plain.described()
    lines = [
        _line("not used: median of the paired differences", bare, not_used, NOT_USED),
        _line(f"used, 10 signals and {RULES:,} rules: median of the paired differences", plain_again, in_use, USED),
        Line("rules that act on a search, mean", f"{acting:.1f}"),
    ]
    compared = {"without": bare, "not used": not_used, "not used, again": plain_again, "used": in_use}
    table = Table(
        "One search",
        ["database", "p50", "p95", "p99"],
        [[name, *(milliseconds(each.at(q)) for q in (0.5, 0.95, 0.99))] for name, each in compared.items()],
    )
    raw = {"rows": rows, "pairs": pairs, **{name: each.times() for name, each in compared.items()}}
    title = f"Cost of signals and rules, {rows:,} products, {pairs:,} pairs"
    keep("ranking_cost", title, lines, raw, [table], note=described)


def _line(what: str, before: Figures, after: Figures, most: float) -> Line:
    median = statistics.median(new - old for old, new in zip(before.seconds, after.seconds, strict=True))
    return Line(what, f"{median * 1000:.3f} ms", f"<= {most * 1000:g} ms", median <= most)


def measure(shops: dict[str, Shop], questions: Questions, texts: Sequence[str]) -> list[Figures]:
    """Measures the searches of two shops in turns and returns the figures of each shop."""
    with Sessions(next(iter(shops.values()))) as first, Sessions(list(shops.values())[1]) as second:
        strategies = [
            postgres.search(sessions, name, questions, texts, legs=Legs())
            for name, sessions in zip(shops, (first, second), strict=True)
        ]
        return in_turns(strategies)


def remove_calls(without: Shop) -> None:
    """Creates the functions of a search again, without their calls of functions of rules and signals."""
    with without.admin() as conn:
        for function, call in CALLS.items():
            [(defined,)] = conn.execute(
                "select pg_get_functiondef(oid) from pg_proc where proname = %s "
                "and pronamespace in ('shop'::regnamespace, 'shop_private'::regnamespace)",
                (function,),
            ).fetchall()
            if defined.count(call) != 1:
                raise RuntimeError(f"{function} does not contain exactly once: {call}")
            conn.execute(defined.replace(call, ""))
        conn.execute("analyze")


def use(used: Shop, texts: Sequence[str]) -> float:
    """Adds the signals and the rules. Returns the mean number of rules that act on a search."""
    with used.admin() as conn:
        conn.execute(
            "insert into shop.popularity (product_id, points, value) select product_id, 1, random() from shop.product"
        )
        for name, (value, normalise) in VIEWS.items():
            conn.execute(f"create view shop.bench_{name} as select product_id, {value} as value from shop.product")
            conn.execute(
                "select shop.add_signal(%s, %s, normalise => %s, weight => 0.1)",
                (name, f"shop.bench_{name}", normalise),
            )
        conn.execute("update shop.signal set weight = 0.1 where name = any(%s)", (list(BUILT_IN),))
        conn.cursor().executemany(
            "insert into shop.rule (name, condition, action, status) values (%s, %s, %s, 'live')",
            [(f"rule {n}", json.dumps(when), json.dumps(then)) for n, (when, then) in enumerate(_rules(texts))],
        )
        conn.execute("analyze")
        acting = [
            len(row[0] or ())
            for text in texts[:100]
            for row in conn.execute("select rules from shop.search(%s, k => 1)", (text,)).fetchall()
        ]
    return statistics.mean(acting) if acting else 0.0


def _rules(texts: Sequence[str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yields pairs of a condition and an action. The conditions are texts of queries, nearly equal texts, the first
    words of queries, similar texts, and filters."""
    actions: list[dict[str, Any]] = [
        {"boost": {"brand": "brand 1"}, "factor": 1.5},
        {"bury": {"availability": "out_of_stock"}, "factor": 0.5},
        {"pin": "sku-7", "at": 3},
        {"hide": "sku-8"},
        {"banner": "Free delivery"},
        {"signals": {"price": 0.2}},
    ]
    different = list(dict.fromkeys(texts))
    conditions: list[dict[str, Any]] = [
        *({"similar": text, "threshold": 0.9} for text in different[:GENERAL]),
        *({"filter": {"brand": f"brand {n}"}} for n in range(GENERAL)),
        *({"contains": " ".join(text.split()[:2])} for text in different[: RULES // 3]),
    ]
    exact = [{"query": text} for text in different]
    more = [{"query": f"{text} {n}"} for n in range(RULES // max(1, len(different)) + 1) for text in different]
    unique = {json.dumps(one): one for one in (*conditions, *exact[: RULES // 2], *more)}
    for number, condition in zip(range(RULES), unique.values(), strict=False):
        yield condition, actions[number % len(actions)]
