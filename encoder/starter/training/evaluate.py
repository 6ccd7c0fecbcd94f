"""Measures how well titles find the test images of a split (splits.py), and how well these images find images with the
same head noun."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

CUTS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one split. The queries are the distinct titles.

    ``recall_k`` is the share of queries that find an image of their title among the first k of all test images. ``mrr``
    is the mean of 1 / rank of the first image of their title. For ``r_precision`` the query is an image. If R other
    images have the head noun of the query, the score of the query is the share of images with that noun among the R
    nearest images. ``r_precision`` is the mean score.
    """

    recall_1: float
    recall_5: float
    recall_10: float
    mrr: float
    r_precision: float
    queries: int
    images: int


def score(images: np.ndarray, texts: np.ndarray, titles: Sequence[int], nouns: Sequence[str]) -> Scores:
    """Score one split. A row of ``images`` is the unit vector of a test image, and the same row of ``texts`` is the
    unit vector of the image's title."""
    title = np.asarray(titles)
    _, queries = np.unique(title, return_index=True)
    relevant = title[queries][:, None] == title[None, :]
    ranks = _first_ranks(texts[queries] @ images.T, relevant)
    recall = {cut: float((ranks <= cut).mean()) for cut in CUTS}
    return Scores(
        recall_1=recall[1],
        recall_5=recall[5],
        recall_10=recall[10],
        mrr=float((1 / ranks).mean()),
        r_precision=_r_precision(images, np.asarray(nouns)),
        queries=len(queries),
        images=len(images),
    )


def mean(scores: Sequence[Scores]) -> Mapping[str, float]:
    rows = [asdict(one) for one in scores]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _first_ranks(similarity: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Returns the 1-based rank of the best relevant column in each row."""
    best = np.where(relevant, similarity, -np.inf).max(1, keepdims=True)
    return np.asarray(1 + (similarity > best).sum(1))


def _r_precision(images: np.ndarray, nouns: np.ndarray) -> float:
    similarity = images @ images.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1)
    same = nouns[:, None] == nouns[None, :]
    np.fill_diagonal(same, False)
    found = [float(same[i, order[i, :others]].mean()) for i, others in enumerate(same.sum(1).tolist()) if others > 0]
    return float(np.mean(found))
