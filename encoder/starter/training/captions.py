"""Builds the captions of each image, and computes the text vectors of the captions and of the ImageNet classes.

MiniLM, the text model, is not trained. Its vectors stay the same, so they are cached. A view is an image as it is, or a
changed copy of it (views.py). A pair is an image with its title and keywords (pairs.py).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from encoder.starter import weights
from encoder.starter.training import views
from encoder.starter.training.features import Features
from encoder.starter.training.pairs import Pair, words

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_CLASSES = Path(__file__).with_name("imagenet_classes.tsv")
# Largest number of captions of a pair that add a keyword to the title. Such a keyword shares no word with the title.
_KEYWORDS = 3
# If a colour dominates a view and the title names no colour, this share of the drawn captions adds the colour.
_COLOUR_SHARE = 0.4
_COLOURS = frozenset(
    ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "gray", "grey", "black", "white")
)
_RECOLOURED = 2  # the number of the view whose hues are rotated


@dataclass(frozen=True, slots=True)
class Captions:
    vectors: np.ndarray  # float32 (texts, 384), unit norm
    titles: np.ndarray  # int (pairs,), the index of each title in ``vectors``; equal titles have the same index
    plain: list[list[int]]  # for each pair, the indices of the captions without an added colour
    # For each pair and view, the index of the caption that adds the view's colour to the title. It is None if no colour
    # dominates the view or the title already names a colour.
    coloured: list[list[int | None]]

    def draw(self, pair: int, view: int, rng: np.random.Generator) -> int:
        """Returns a random caption for this view of this pair, as an index into ``vectors``."""
        named = self.coloured[pair][view]
        if named is not None and rng.random() < _COLOUR_SHARE:
            return named
        return self.plain[pair][int(rng.integers(len(self.plain[pair])))]


def of(pairs: Sequence[Pair], features: Features, model: "SentenceTransformer", cache: Path) -> Captions:
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    titles = [number(pair.title) for pair in pairs]
    plain = [[number(text) for text in _plain(pair)] for pair in pairs]
    coloured = [
        [number(f"{colour} {pair.title}") if colour and not words(pair.title) & _COLOURS else None for colour in row]
        for pair, row in zip(pairs, features.colours.tolist(), strict=True)
    ]
    return Captions(encode(list(texts), model, cache), np.array(titles), plain, coloured)


def usable_views(pair: Pair) -> range:
    """Returns the numbers of the views that the title fits. A title with a colour does not fit the view whose hues are
    rotated."""
    return range(_RECOLOURED if words(pair.title) & _COLOURS else views.COUNT)


def classes(model: "SentenceTransformer", cache: Path) -> np.ndarray:
    """Returns a text vector for each ImageNet class, float32 (1000, 384), scaled to unit norm. The vector is the sum of
    the vectors of two texts: the first name of the class, and all its names with its definition."""
    rows = [line.split("\t") for line in _CLASSES.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    first = encode([names.split(",")[0] for _, names, _ in rows], model, cache)
    every = encode([f"{names}: {definition}" for _, names, definition in rows], model, cache)
    both = first + every
    unit: np.ndarray = both / np.linalg.norm(both, axis=1, keepdims=True)
    return unit


def encode(texts: list[str], model: "SentenceTransformer", cache: Path) -> np.ndarray:
    """Returns the MiniLM vectors of ``texts``, and caches them in the folder ``cache``."""
    key = hashlib.sha256("\0".join([*texts, *weights.TEXT_FILES.values()]).encode()).hexdigest()[:12]
    path = cache / f"texts-{key}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, model.encode(texts, batch_size=64, normalize_embeddings=True))
    stored: np.ndarray = np.load(path)
    return stored


def _plain(pair: Pair) -> list[str]:
    known = words(pair.title)
    new = [keyword for keyword in pair.keywords if not words(keyword) & known][:_KEYWORDS]
    return [pair.title, f"a photo of a {pair.title}", *(f"{pair.title} {keyword}" for keyword in new)]
