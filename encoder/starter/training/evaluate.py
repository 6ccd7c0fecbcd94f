"""How well pictures are found by words nobody trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

CUTS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one split. ``recall_*`` is the share of queries (distinct titles) with a picture of that title among
    the first k of all test pictures; ``mrr`` the mean of 1 / rank of the first one; ``r_precision`` goes from
    picture to picture: of the R others with the same head noun, the share among the R nearest."""

    recall_1: float
    recall_5: float
    recall_10: float
    mrr: float
    r_precision: float
    queries: int
    pictures: int


def score(pictures: np.ndarray, texts: np.ndarray, titles: Sequence[int], nouns: Sequence[str]) -> Scores:
    """``pictures`` and ``texts`` are unit vectors, row by row of the test side: picture and its title's vector."""
    title = np.asarray(titles)
    _, asked = np.unique(title, return_index=True)
    relevant = title[asked][:, None] == title[None, :]
    ranks = _first_ranks(texts[asked] @ pictures.T, relevant)
    recall = {cut: float((ranks <= cut).mean()) for cut in CUTS}
    return Scores(
        recall_1=recall[1],
        recall_5=recall[5],
        recall_10=recall[10],
        mrr=float((1 / ranks).mean()),
        r_precision=_r_precision(pictures, np.asarray(nouns)),
        queries=len(asked),
        pictures=len(pictures),
    )


def mean(scores: Sequence[Scores]) -> Mapping[str, float]:
    rows = [asdict(one) for one in scores]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _first_ranks(similarity: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """1-based rank of the best relevant column in each row."""
    best = np.where(relevant, similarity, -np.inf).max(1, keepdims=True)
    return np.asarray(1 + (similarity > best).sum(1))


def _r_precision(pictures: np.ndarray, nouns: np.ndarray) -> float:
    similarity = pictures @ pictures.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1)
    same = nouns[:, None] == nouns[None, :]
    np.fill_diagonal(same, False)
    found = [float(same[i, order[i, :others]].mean()) for i, others in enumerate(same.sum(1).tolist()) if others > 0]
    return float(np.mean(found))
