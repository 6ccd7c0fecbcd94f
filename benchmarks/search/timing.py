"""Runs the same queries by several strategies in turns, and computes the recall and the times of each strategy."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.data import Queries
from benchmarks.support.report import quantile

K = 10  # results of a query
TURN = 10  # each strategy runs this many queries before the next strategy runs them
EFS = (*(round(10 * 1.2**step) for step in range(26)), 1000)  # values of ef to try
FINE_EFS = range(10, 1001, 10)  # values of ef to try where small differences of recall matter
_ROUNDING = 2e-6  # tolerance of a similarity, because rounding depends on the order of its 512 summands


class Questions:
    """Queries whose right answers are known. The right answers to a query are the k rows of `vectors` (rows, 512) that
    are most similar to the query, among the rows in `matching`."""

    def __init__(
        self, vectors: NDArray[np.float16], queries: Queries, matching: NDArray[np.bool_] | None = None, k: int = K
    ) -> None:
        self.queries = queries.vectors.astype(np.float32)
        self.rows = len(vectors)
        self.matching = matching
        self._vectors = vectors
        matches = vectors if matching is None else vectors[matching]
        self.matches = len(matches)
        self.needed = min(k, self.matches)
        self._bar = np.full(len(queries), np.inf)
        if self.needed:
            similarity = self.queries @ matches.astype(np.float32).T
            self._bar[:] = np.partition(similarity, -self.needed, axis=1)[:, -self.needed] - _ROUNDING

    def __len__(self) -> int:
        return len(self.queries)

    def recall(self, number: int, products: Sequence[int]) -> float:
        """Returns the share of a query's right answers that `products` contains, or 1 if there is no right answer."""
        if self.needed == 0:
            return 1.0
        found = np.unique(np.asarray(products, np.int64))
        if self.matching is not None:
            found = found[self.matching[found]]
        similarity = self._vectors[found].astype(np.float32) @ self.queries[number]
        return min(1.0, float((similarity >= self._bar[number]).sum()) / self.needed)


@dataclass(frozen=True)
class Strategy:
    """A way to answer the queries. `ask` answers the query with a given number; the time of `ask` is measured.
    `products` returns the numbers of the products in an answer. `ready` is called before the queries of a turn."""

    name: str
    questions: Questions
    ask: Callable[[int], Any]
    products: Callable[[Any], Sequence[int]] = lambda answer: answer
    ready: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Figures:
    """The figures of a strategy. `recall` is the mean over `answers` queries; `short` counts those with too few rows.
    `seconds` has the time of each measured query."""

    name: str
    seconds: list[float]
    recall: float
    short: int
    answers: int

    def at(self, q: float) -> float:
        """Returns the quantile `q` of the times, in seconds."""
        return quantile(self.seconds, q)

    @property
    def p50(self) -> float:
        return self.at(0.5)

    def reaches(self, target: float) -> bool:
        return self.short == 0 and self.recall >= target

    def times(self) -> dict[str, float]:
        """Returns p50, p95 and p99 in milliseconds."""
        return {f"p{round(q * 100)}": round(self.at(q) * 1000, 4) for q in (0.5, 0.95, 0.99)}

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "recall": round(self.recall, 4), "short": self.short, **self.times()}


def in_turns(strategies: Sequence[Strategy]) -> list[Figures]:
    """Run every query by every strategy. All strategies run the first ten queries, then the next ten, and so on.

    So a disturbance of the machine affects all strategies alike. A strategy runs ten queries in a row, because this
    keeps its server process busy, as in a real service. When the strategies alternated after every query, a statement
    that does nothing took .35 ms instead of .03 ms. For every ten queries, the strategies run in a new random order,
    because the first strategy finds cold caches.

    Before the measured queries, every query runs once without being measured. A new connection maps each page of the
    index at the first use of the page. In the first few hundred queries, these mappings take several times as long as
    the search. The connections of a service's pool have already mapped the pages.
    """
    order = np.random.default_rng(0)
    count = len(strategies[0].questions)
    for strategy in strategies:
        strategy.ready()
        for number in range(count):
            strategy.ask(number)
    seconds: list[list[float]] = [[] for _ in strategies]
    answers: list[list[Any]] = [[] for _ in strategies]
    gc.collect()
    gc.disable()
    try:
        for first in range(0, count, TURN):
            for index in order.permutation(len(strategies)):
                strategy = strategies[index]
                strategy.ready()
                for number in range(first, min(first + TURN, count)):
                    started = time.perf_counter()
                    answer = strategy.ask(number)
                    seconds[index].append(time.perf_counter() - started)
                    answers[index].append(answer)
    finally:
        gc.enable()
    return [_figures(*each) for each in zip(strategies, seconds, answers, strict=True)]


def trial(strategy: Strategy, max_p50: float = float("inf")) -> Figures | None:
    """Returns the figures of one strategy that runs alone. Returns None as soon as at least ten queries have run and
    their median time exceeds `max_p50` seconds."""
    seconds: list[float] = []
    answers: list[Any] = []
    strategy.ready()
    for number in range(len(strategy.questions)):
        started = time.perf_counter()
        answers.append(strategy.ask(number))
        seconds.append(time.perf_counter() - started)
        if number >= 9 and quantile(seconds, 0.5) > max_p50:
            return None
    return _figures(strategy, seconds, answers)


def _figures(strategy: Strategy, seconds: list[float], answers: list[Any]) -> Figures:
    questions = strategy.questions
    found = [list(strategy.products(answer)) for answer in answers]
    recalls = [questions.recall(number, products) for number, products in enumerate(found)]
    short = sum(len(set(products)) < questions.needed for products in found)
    return Figures(strategy.name, seconds, float(np.mean(recalls)), short, len(answers))


def with_smallest_ef(
    make: Callable[[int], Strategy], target: float, efs: Sequence[int] = EFS, max_p50: float = float("inf")
) -> Strategy:
    """Returns the strategy for the ef that `smallest_ef` returns."""
    return make(smallest_ef(make, target, efs, max_p50))


def smallest_ef(
    make: Callable[[int], Strategy], target: float, efs: Sequence[int] = EFS, max_p50: float = float("inf")
) -> int:
    """Returns, by bisection, the smallest of the ascending `efs` whose recall reaches `target`, or the last ef if no ef
    reaches the target.

    An ef whose median query takes more than `max_p50` seconds counts as large enough.
    """
    low, high = -1, len(efs) - 1
    while high - low > 1:
        middle = (low + high) // 2
        figures = trial(make(efs[middle]), max_p50)
        low, high = (low, middle) if figures is None or figures.reaches(target) else (middle, high)
    return efs[high]
