"""Measures the four held-out splits (splits.py) with the trained head, with its untrained prior alone (head.py), and
with random vectors."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from encoder.starter.head import Head
from encoder.starter.training import splits
from encoder.starter.training.evaluate import Scores, score
from encoder.starter.training.fit import Material, Recipe, fit, start

METHODS = ("trained", "prior", "random")


def measure(
    material: Material, held_out: Sequence[frozenset[str]], progress: Callable[[int], None], seed: int = 0
) -> dict[str, list[Scores]]:
    """Returns the scores of each split for each of METHODS. The head of a split, and the statistics in the head, come
    only from the training side of that split."""
    found: dict[str, list[Scores]] = {method: [] for method in METHODS}
    for done, nouns in enumerate(held_out):
        train, test = splits.sides(material.pairs, nouns)
        head = fit(material, train, Recipe(seed=seed))
        found["trained"].append(_score(material, test, vectors(material, head, test)))
        found["prior"].append(_score(material, test, prior_vectors(material, start(material, train), test)))
        found["random"].append(_score(material, test, _random(len(test), seed)))
        progress(done + 1)
    return found


def vectors(material: Material, head: Head, rows: Sequence[int]) -> np.ndarray:
    """Returns the head's vectors of the original views, float32 (n, 384)."""
    with torch.inference_mode():
        pooled = torch.from_numpy(material.features.pooled[rows, 0]).float()
        mid = torch.from_numpy(material.features.mid[rows, 0]).float()
        served: np.ndarray = head(pooled, mid, material.classifier(pooled)).numpy()
        return served


def prior_vectors(material: Material, head: Head, rows: Sequence[int]) -> np.ndarray:
    with torch.inference_mode():
        pooled = torch.from_numpy(material.features.pooled[rows, 0]).float()
        unit: np.ndarray = head.prior(material.classifier(pooled)).numpy()
        return unit


def _random(rows: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(rows, 384)).astype(np.float32)
    unit: np.ndarray = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return unit


def _score(material: Material, rows: Sequence[int], images: np.ndarray) -> Scores:
    titles = material.captions.titles[rows]
    nouns = [material.pairs[row].noun for row in rows]
    return score(images, material.captions.vectors[titles], titles.tolist(), nouns)
