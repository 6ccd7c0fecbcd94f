"""Measures the searches per second of 1, 2, 8 and 32 sessions, without a filter. It compares pgvector's raw statement,
shop.search and the other indexes (peers.py). The raw statement and the other indexes run with the smallest ef whose
recall reaches the target; shop.search runs as calibrated.

Each session is a thread of this process with a connection of its own. The threads and the server share the cores of
the machine, so the figures of the server contain the work of its clients. hnswlib and faiss run in these threads and
have no clients. LanceDB uses all cores for each query.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from benchmarks.search import postgres
from benchmarks.search.load import Shop
from benchmarks.search.peers import Peer
from benchmarks.search.postgres import Filter, Sessions
from benchmarks.search.timing import FINE_EFS, Questions, Strategy, trial, with_smallest_ef
from benchmarks.support.report import Line, Report, Table

TARGET = 0.98  # least recall@10 of the raw statement and of the other indexes
SESSIONS = (1, 2, 8, 32)
SECONDS = 6.0  # length of a measurement
RAW, CALL = "pgvector, raw statement", "shop.search, one leg"


def run(shop: Shop, peers: Sequence[Peer], count: int) -> Report:
    """Measure with `count` text-like queries, which the sessions ask again and again."""
    queries = shop.catalog.queries("text", count, seed=4)
    questions = Questions(shop.catalog.images, queries)
    texts = [f"throughput {number}" for number in range(count)]
    postgres.remember(shop, texts, queries)
    makers: dict[str, Callable[[Sessions], Strategy]] = {}
    recall: dict[str, float] = {}
    with Sessions(shop) as sessions:
        chosen = with_smallest_ef(partial(postgres.unfiltered, sessions, questions), TARGET, FINE_EFS)
        ef = int(chosen.name.rsplit(" ", 1)[1])
        makers[RAW] = lambda own: postgres.unfiltered(own, questions, ef)
        makers[CALL] = lambda own: postgres.search(own, "calibrated", questions, texts)
        for peer in peers:
            asked = with_smallest_ef(partial(peer.strategy, questions, filter=Filter()), TARGET, FINE_EFS)
            makers[peer.name] = partial(_shared, asked)
        for name, make in makers.items():
            reached = trial(make(sessions))
            assert reached is not None
            recall[name] = reached.recall
    rates = {name: [_rate(shop, make, number) for number in SESSIONS] for name, make in makers.items()}
    table = Table(
        "searches a second",
        ["sessions", *(f"{name}, recall@10 {recall[name]:.3f}" for name in rates)],
        [[str(number), *(f"{rate[place]:.0f}" for rate in rates.values())] for place, number in enumerate(SESSIONS)],
    )
    lines = [
        Line(f"{name}: searches a second of {number} sessions", f"{rates[name][place]:.0f}/s")
        for name in (RAW, CALL)
        for place, number in enumerate(SESSIONS)
    ]
    raw: dict[str, object] = {
        "rows": shop.catalog.rows,
        "queries": count,
        "sessions": SESSIONS,
        "rates": rates,
        "recall": recall,
    }
    title = f"Searches a second, {shop.catalog.rows:,} products, k = 10"
    return Report("search_throughput", title, lines, raw, [table], shop.described())


def _shared(strategy: Strategy, _: Sessions) -> Strategy:
    """Returns the strategy of another index, which all threads share."""
    return strategy


def _rate(shop: Shop, make: Callable[[Sessions], Strategy], sessions: int) -> float:
    """Returns how many searches a second `sessions` threads finish together. Before the measurement, each thread asks
    all queries once, so that its connection has mapped the pages of the index."""
    finished = [0] * sessions
    failed: list[BaseException] = []
    began = threading.Barrier(sessions)

    def work(place: int, strategy: Strategy) -> None:
        try:
            strategy.ready()
            queries = len(strategy.questions)
            for number in range(queries):
                strategy.ask(number)
            began.wait()
            until, number = time.perf_counter() + SECONDS, place
            while time.perf_counter() < until:
                strategy.ask(number % queries)
                number += 1
            finished[place] = number - place
        except BaseException as error:
            failed.append(error)
            began.abort()

    with ExitStack() as stack:
        strategies = [make(stack.enter_context(Sessions(shop))) for _ in range(sessions)]
        threads = [threading.Thread(target=work, args=each) for each in enumerate(strategies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    return sum(finished) / SECONDS
