"""Measures, with pure functions, how good a ranked list is and how certain an average is.

A grade is 0 (wrong) to 3 (exactly what was searched for); an unjudged product counts as 0.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)
Values = NDArray[np.float64]

RESAMPLES = 5_000  # number of bootstrap samples of the queries
NDCG_DEPTH = 10  # nDCG is measured over this many first results
_CHUNK = 2_000_000  # at most this many random numbers are drawn in one step


@dataclass(frozen=True, slots=True)
class Interval:
    """The mean of a metric over queries, with the bounds of the 95 % interval of this mean."""

    value: float
    low: float
    high: float


def recall_at_k(ranked: Sequence[Key], grades: Mapping[Key, int], k: int) -> float:
    """Return the share of the relevant products (grade 1 to 3) that are among the first k.

    With more than k relevant products, recall@k cannot reach 1.
    """
    relevant = {key for key, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranked[:k])) / len(relevant)


def reciprocal_rank(ranked: Sequence[Key], grades: Mapping[Key, int]) -> float:
    """Return 1 / rank of the first relevant product, or 0 if the list has no relevant product."""
    return next((1 / rank for rank, key in enumerate(ranked, 1) if grades.get(key, 0) > 0), 0.0)


def ndcg_at_k(ranked: Sequence[Key], grades: Mapping[Key, int], k: int = NDCG_DEPTH) -> float:
    """Return nDCG@k: the sum of (2^grade - 1) / log2(rank + 1) over the first k, divided by the sum for the best order.

    Järvelin and Kekäläinen (2002) define nDCG; Burges et al. (2005) introduced the exponential gain.
    """
    return _dcg([grades.get(key, 0) for key in ranked[:k]]) / ideal_dcg(grades, k)


def ideal_dcg(grades: Mapping[Key, int], k: int = NDCG_DEPTH) -> float:
    return _dcg(sorted(grades.values(), reverse=True)[:k])


def _dcg(grades: Sequence[int]) -> float:
    return sum(float(2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def index_recall(found: Sequence[float], exact: Sequence[float]) -> float:
    """Return the share of an exact list that an approximate list contains. Both lists hold distances, nearest first.

    The function compares distances and not ids, as ann-benchmarks does: two equally distant products are equally
    correct results.
    """
    if not exact:
        return 1.0
    return min(1.0, sum(distance <= exact[-1] + 1e-6 for distance in found[: len(exact)]) / len(exact))


def bootstrap(values: Values, *, resamples: int = RESAMPLES, seed: int = 0) -> list[Interval]:
    """Return each column's mean and its 95 % percentile interval, obtained by resampling the queries.

    `values` has a row for each query and a column for each figure. Efron and Tibshirani (1993) describe the method. To
    compare two systems, pass the differences of their values for each query.
    """
    count = len(values)
    if count == 0:
        raise ValueError("there is nothing to average")
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // count)
    means = [
        values[rng.integers(count, size=(min(chunk, resamples - done), count))].mean(axis=1)
        for done in range(0, resamples, chunk)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5), axis=0)
    return [Interval(*map(float, column)) for column in zip(values.mean(axis=0), low, high, strict=True)]
