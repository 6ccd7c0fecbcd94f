"""Computes the features of every view of every pair with the frozen image tower (tower.py).

The first run takes minutes; later runs read the features from a cache. A view is an image as it is, or a changed copy
of it (views.py). A pair is an image with its title and keywords (pairs.py).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from encoder.starter import pixels, weights
from encoder.starter.tower import MID, POOLED, Tower
from encoder.starter.training import views
from encoder.starter.training.pairs import Pair

BATCH = 8  # pairs in a forward pass, three views each; the activations of more pairs do not fit into a core's cache


@dataclass(frozen=True, slots=True)
class Features:
    pooled: np.ndarray  # float16 (pairs, views, 1280)
    mid: np.ndarray  # float16 (pairs, views, 1024)
    colours: np.ndarray  # str (pairs, views)


def of(pairs: Sequence[Pair], cache: Path, progress: Callable[[int], None] = lambda done: None) -> Features:
    """Returns the features from the cache. Without a cache, computes the features and writes the cache. ``progress`` is
    called with the number of pairs whose features are known."""
    path = cache / f"features-{_key(pairs)}.npz"
    if not path.exists():
        computed = _compute(pairs, progress)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, pooled=computed.pooled, mid=computed.mid, colours=computed.colours)
    progress(len(pairs))
    with np.load(path) as stored:
        return Features(stored["pooled"], stored["mid"], stored["colours"])


def _compute(pairs: Sequence[Pair], progress: Callable[[int], None]) -> Features:
    tower = Tower(weights.image_file())
    pooled = np.empty((len(pairs), views.COUNT, POOLED), np.float16)
    mid = np.empty((len(pairs), views.COUNT, MID), np.float16)
    colours = np.empty((len(pairs), views.COUNT), "<U6")
    for start in range(0, len(pairs), BATCH):
        batch: list[Image.Image] = []
        for offset, pair in enumerate(pairs[start : start + BATCH]):
            with Image.open(pair.image) as image:
                three = views.views(pixels.on_white(image), seed=start + offset)
            batch += three
            colours[start + offset] = [views.colour(three[0]), views.colour(three[0]), views.colour(three[2])]
        with torch.inference_mode():
            batch_pooled, batch_mid = tower(torch.from_numpy(pixels.batch(batch)).permute(0, 3, 1, 2))
        stop = start + len(batch) // views.COUNT
        pooled[start:stop] = batch_pooled.view(-1, views.COUNT, POOLED).numpy()
        mid[start:stop] = batch_mid.view(-1, views.COUNT, MID).numpy()
        progress(stop)
    return Features(pooled, mid, colours)


def _key(pairs: Sequence[Pair]) -> str:
    """Returns a hash of the images, the tower's weights and `views.VERSION`. The cache is read only if none of them has
    changed."""
    digest = hashlib.sha256(f"{views.VERSION} {sorted(weights.IMAGE_FILES.values())}".encode())
    for pair in pairs:
        digest.update(pair.image.read_bytes())
    return digest.hexdigest()[:12]
