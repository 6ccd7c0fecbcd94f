"""Fuses ranked lists by weighted reciprocal rank, as `shop.search` does, and finds the best weights for judged queries.

A leg is one of the ranked lists: by image, by title or by keyword. A product's score is the sum over the legs of
weight / (rrf_k + its rank in the leg). Cormack, Clarke and Büttcher (2009) used 60 for rrf_k. A larger rrf_k gives rank
1 less advantage over rank 10, and gives a product in several lists more advantage. A larger rrf_k improves the results
if the legs are equally accurate. It harms the results if one leg is accurate and another returns noise. Only the ratios
of the weights matter, so the largest fitted weight is 1.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from db.evaluation.metrics import NDCG_DEPTH, ideal_dcg
from db.functions.constants import KEYWORD_FEW, KEYWORD_FEW_FACTOR

LEGS = ("image", "title", "keyword")
# `fit` tries these weights. Only ratios matter, so each weight above 0.01 is 2 or 2.5 times the weight before it.
LEVELS = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
RRF_KS = (3, 10, 30, 60)  # `fit` tries these values of rrf_k


@dataclass(frozen=True, slots=True)
class LegWeights:
    """The weight of each leg in a search (0 disables the leg), and rrf_k."""

    image: float = 1.0
    title: float = 1.0
    keyword: float = 1.0
    rrf_k: int = 60

    @classmethod
    def tuned(cls, rows: Mapping[str, float]) -> "LegWeights":
        """Build weights from rows of shop.tuning. `rows` maps the name of each row to its value."""
        return cls(**{leg: rows.get(f"{leg}_weight", 1.0) for leg in LEGS}, rrf_k=int(rows.get("rrf_k", 60)))

    def as_tuning(self) -> dict[str, float]:
        return {**{f"{leg}_weight": getattr(self, leg) for leg in LEGS}, "rrf_k": self.rrf_k}

    def __str__(self) -> str:
        return ", ".join(f"{name} {getattr(self, name):g}" for name in (*LEGS, "rrf_k"))


def only(leg: str) -> LegWeights:
    image, title, keyword = (float(each == leg) for each in LEGS)
    return LegWeights(image, title, keyword)


@dataclass(frozen=True, slots=True)
class Case:
    """A query: the products that each leg found, best first, and the grades of the judged products.

    For some products, the keyword leg's weight is multiplied by a factor other than 1; `factors` has these factors.
    """

    lists: Mapping[str, Sequence[UUID]]
    grades: Mapping[UUID, int]
    factors: Mapping[UUID, float] = field(default_factory=dict)


def keyword_factors(scores: Mapping[UUID, float]) -> dict[UUID, float]:
    """Return the factors of the keyword leg's weight. A product gets a factor if the whole part of its score is at
    least 2, and is larger than the whole part of the score at rank KEYWORD_FEW + 1.

    The computation is the same as in fuse_legs.sql. `scores` maps products to scores of the keyword leg, best first.
    """
    next_score = next(itertools.islice(scores.values(), KEYWORD_FEW, None), 0.0)
    least = max(2, 1 + floor(next_score))
    return {key: KEYWORD_FEW_FACTOR * (floor(score) - 1) for key, score in scores.items() if score >= least}


def fuse(
    lists: Mapping[str, Sequence[UUID]], weights: LegWeights, factors: Mapping[UUID, float] | None = None
) -> list[UUID]:
    """Return the products of the legs whose weight is above 0, best first.

    Products of equal score are ordered by id.
    """
    scores: dict[UUID, float] = {}
    for leg, found in lists.items():
        if weight := getattr(weights, leg):
            for rank, key in enumerate(found, 1):
                factor = (factors or {}).get(key, 1) if leg == "keyword" else 1
                scores[key] = scores.get(key, 0.0) + weight * factor / (weights.rrf_k + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))


def in_dev_half(query_id: UUID) -> bool:
    """Return whether a query is in the half on which weights are fitted. The other half tests the weights.

    The id is a hash of the query, so the query is in the same half in every suite.
    """
    return query_id.bytes[-1] % 2 == 0


def fit(cases: Sequence[Case]) -> tuple[LegWeights, float]:
    """Return the weights with the highest mean nDCG@10 over the cases, and that mean.

    Tries every point of a grid at which the largest weight is 1. Of points with an equal mean, takes the point with the
    largest rrf_k, then with the largest sum of weights.
    """
    ranks, factors, gains, ideal = _arrays(cases)
    discounts = 1 / np.log2(np.arange(2, NDCG_DEPTH + 2))

    def ndcg(parts: NDArray[np.float64], weights: Sequence[float]) -> float:
        scores = parts @ np.array(weights)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :NDCG_DEPTH]
        shown = np.where(np.take_along_axis(scores, best, 1) > 0, np.take_along_axis(gains, best, 1), 0.0)
        return float((shown @ discounts[: shown.shape[1]] / ideal).mean())

    tried = []
    for rrf_k in RRF_KS:
        parts = factors / (rrf_k + ranks)
        for weights in itertools.product(LEVELS, repeat=len(LEGS)):
            if max(weights) == 1:
                tried.append((round(ndcg(parts, weights), 9), rrf_k, sum(weights), weights))
    best, rrf_k, _, (image, title, keyword) = max(tried)
    return LegWeights(image, title, keyword, rrf_k), best


def _arrays(cases: Sequence[Case]) -> tuple[NDArray[np.float64], ...]:
    """Return four arrays: the ranks, the factors of the legs' weights, the gains, and the best possible DCGs.

    Ranks and factors have the shape (case, product, leg), gains have the shape (case, product), and there is a DCG for
    each case. A rank is infinite if the leg did not find the product. The products of a case are ordered by id, so that
    a stable sort by score puts the smaller id first.
    """
    products = [sorted(set().union(*case.lists.values())) for case in cases]
    width = max(1, max(map(len, products)))
    ranks = np.full((len(cases), width, len(LEGS)), np.inf)
    factors = np.ones_like(ranks)
    gains = np.zeros((len(cases), width))
    for row, (case, mine) in enumerate(zip(cases, products, strict=True)):
        column = {key: n for n, key in enumerate(mine)}
        gains[row, : len(mine)] = [2 ** case.grades.get(key, 0) - 1 for key in mine]
        for key, factor in case.factors.items():
            factors[row, column[key], LEGS.index("keyword")] = factor
        for leg, found in case.lists.items():
            for rank, key in enumerate(found, 1):
                ranks[row, column[key], LEGS.index(leg)] = rank
    return ranks, factors, gains, np.array([ideal_dcg(case.grades) for case in cases])
