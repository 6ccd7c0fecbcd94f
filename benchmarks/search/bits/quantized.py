"""Measures an IVFFlat index over the bits of the image vectors against the HNSW index over the vectors: size, build
time, p50 and recall, of raw statements and of shop.search. A bit is the sign of one number of a vector.

The raw statements run in turns, because both indexes can exist and each statement uses its own index. shop.search uses
the newest index. It is therefore measured twice: before and after the index over bits is built. Both times, it runs in
turns with the raw statement over vectors, and its p50 is divided by the p50 of this statement. The quotient of the two
ratios says how much longer a search by bits takes.

Two other ways to use bits are measured. The first is an exact scan whose first pass compares the bits of all vectors;
Windowshop has no such scan. The second is an HNSW index over the same bits, which Windowshop builds only over few rows.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import ceil

from benchmarks.search import postgres
from benchmarks.search.data import DIMENSION
from benchmarks.search.load import Shop
from benchmarks.search.postgres import BY_SEQUENCE, HNSW, Sessions
from benchmarks.search.timing import Figures, K, Questions, Strategy, in_turns, trial, with_smallest_ef
from benchmarks.support.report import Line, Report, Table, milliseconds
from db.functions.bit_constants import LIST_CANDIDATES
from db.lifecycle.sizing import MB, index_lists, suitable

TARGET = 0.97
CODE = f"binary_quantize(embedding::halfvec)::bit({DIMENSION})"  # as in migrations/operations/indexes.py
CANDIDATES = (60, 80, 120, 160, 240, 320, 480, 640, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000)
EXACT = "select product_id from shop.bench_image order by (embedding <=> %(vector)b) + 0 limit {k}"
COMPARED = """
    select product_id from (
        select product_id, embedding <=> %(vector)b as distance from shop.bench_image
        order by ({code} <~> binary_quantize(%(vector)b::halfvec)::bit({dimension})){plus} limit {candidates}) c
    order by distance limit {k}"""
VECTORS, BITS, GRAPH = "index over vectors", "index over bits", "HNSW index over bits"
SCAN = {
    **HNSW,
    "enable_seqscan": False,
    "hnsw.iterative_scan": "relaxed_order",
    "ivfflat.iterative_scan": "relaxed_order",
}
SEARCH = "shop.search"


def run(shop: Shop, count: int) -> Report:
    queries = shop.catalog.queries("text", count)
    questions = Questions(shop.catalog.images, queries)
    texts = [f"bits {number}" for number in range(count)]

    def searched(sessions: Sessions, raw: Strategy) -> tuple[Figures, Figures]:
        """Calibrates, and returns the figures of the raw statement and of shop.search."""
        postgres.calibrate(shop)
        postgres.remember(shop, texts, queries)
        figures = in_turns([raw, postgres.search(sessions, SEARCH, questions, texts)])
        print("; ".join(_said(each) for each in figures), flush=True)
        return figures[0], figures[1]

    sizes: dict[str, int] = {}
    seconds: dict[str, float] = {}
    with Sessions(shop) as sessions:
        raw = with_smallest_ef(lambda ef: postgres.unfiltered(sessions, questions, ef), TARGET)
        before = searched(sessions, raw)
        with _index(shop, "vectors", "hnsw (embedding halfvec_cosine_ops)") as (sizes[VECTORS], seconds[VECTORS]):
            pass
        with _index(shop, "graph", f"hnsw (({CODE}) bit_hamming_ops)") as (sizes[GRAPH], seconds[GRAPH]):
            candidates = _fewest(sessions, questions)
            graph = _compared(sessions, questions, GRAPH, candidates)
            exact = sessions.strategy("exact scan", questions, EXACT.format(k=K), settings=BY_SEQUENCE)
            first_pass = _compared(sessions, questions, "exact scan of all bits", candidates, BY_SEQUENCE, " + 0")
            others = in_turns([raw, graph, exact, first_pass])
        listed = f"ivfflat (({CODE}) bit_hamming_ops) with (lists = {index_lists(shop.catalog.rows)})"
        with _index(shop, "bits", listed) as (sizes[BITS], seconds[BITS]):
            bits = _compared(sessions, questions, BITS, _fewest(sessions, questions))
            figures = in_turns([raw, bits])
            after = searched(sessions, raw)
    with shop.admin() as conn:
        conn.execute("delete from shop.calibration where bits is not null")
    share = sizes[BITS] / sizes[VECTORS]
    dearer = (after[1].p50 / after[0].p50) / (before[1].p50 / before[0].p50)
    lines = [
        Line("size of the index over bits / of the index over vectors", f"{share:.2f}", "<= 0.10", share <= 0.1),
        Line("recall@10 of shop.search by bits", f"{after[1].recall:.3f}", f">= {TARGET}", after[1].recall >= TARGET),
        Line("p50 of shop.search by bits / by vectors", f"{dearer:.2f} x"),
        Line("p50 of the raw statement by bits / by vectors", f"{figures[1].p50 / figures[0].p50:.2f} x"),
        Line(
            "p50 of the raw statement by bits / by an HNSW index over bits",
            f"{figures[1].p50 / figures[0].p50 / (others[1].p50 / others[0].p50):.2f} x",
        ),
        Line("build of the index over bits / of the index over vectors", f"{seconds[BITS] / seconds[VECTORS]:.2f} x"),
        Line("p50 of an exact scan with a first pass of bits / without", f"{others[3].p50 / others[2].p50:.2f} x"),
        Line("size of an HNSW index over bits / of the index over vectors", f"{sizes[GRAPH] / sizes[VECTORS]:.2f}"),
    ]
    rows = [
        [each.name, milliseconds(each.p50), f"{each.recall:.3f}"]
        for each in (*figures, *others[1:], before[1], after[1])
    ]
    rows[-2][0], rows[-1][0] = f"{SEARCH}, {VECTORS}", f"{SEARCH}, {BITS}"
    built = [[name, f"{size / 1e6:.1f} MB", f"{seconds[name]:.0f} s"] for name, size in sizes.items()]
    raw_figures = {
        "rows": shop.catalog.rows,
        "bytes": sizes,
        "build_seconds": seconds,
        "figures": [each.as_json() for each in (*figures, *others)],
        "search": {name: [each.as_json() for each in pair] for name, pair in ((VECTORS, before), (BITS, after))},
    }
    tables = [
        Table("text-like queries, no filter: p50 / recall@10", ["way", "p50", "recall@10"], rows),
        Table("indexes of the image vectors", ["index", "size", "build"], built),
    ]
    title = f"Search by bits, {shop.catalog.rows:,} products, {count} queries, k = {K}"
    return Report("search_bits", title, lines, raw_figures, tables, shop.described())


@contextmanager
def _index(shop: Shop, name: str, definition: str) -> Iterator[tuple[int, float]]:
    """Builds an index of the image vectors, and drops it at the end. Yields its size in bytes and the seconds of its
    build."""
    with shop.admin() as conn:
        conn.execute(f"drop index if exists shop.bench_{name}")
        memory = suitable(shop.catalog.rows, shop.catalog.rows, DIMENSION).maintenance_work_mem
        conn.execute(f"set maintenance_work_mem = '{memory // MB}MB'")
        began = time.perf_counter()
        conn.execute(f"create index bench_{name} on shop.bench_image using {definition}")
        seconds = time.perf_counter() - began
        [size] = conn.execute(f"select pg_relation_size('shop.bench_{name}')").fetchone() or (0,)
        print(f"{name}: {size / 1e6:.1f} MB, {seconds:.1f} s", flush=True)
        try:
            yield size, seconds
        finally:
            conn.execute(f"drop index shop.bench_{name}")


def _compared(
    sessions: Sessions,
    questions: Questions,
    name: str,
    candidates: int,
    settings: Mapping[str, object] = SCAN,
    plus: str = "",
) -> Strategy:
    """Returns a strategy. It takes the `candidates` products that are nearest by their bits, and ranks these products
    by their vectors."""
    statement = COMPARED.format(code=CODE, dimension=DIMENSION, plus=plus, candidates=candidates, k=K)
    settings = {
        **settings,
        "hnsw.ef_search": min(1000, candidates),
        "ivfflat.probes": ceil(candidates / LIST_CANDIDATES),
    }
    return sessions.strategy(f"{name}, {candidates} candidates", questions, statement, settings=settings)


def _fewest(sessions: Sessions, questions: Questions) -> int:
    """Returns the smallest of CANDIDATES that reaches the target recall, or the last one if none reaches it."""
    for candidates in CANDIDATES:
        figures = trial(_compared(sessions, questions, "bits", candidates))
        if figures is not None and figures.reaches(TARGET):
            return candidates
    return CANDIDATES[-1]


def _said(figures: Figures) -> str:
    return f"{figures.name}: {figures.p50 * 1000:.2f} ms {figures.recall:.3f}"
