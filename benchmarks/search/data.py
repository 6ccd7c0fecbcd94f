"""Generates a catalog and queries for it. The same seed and size always give the same catalog and queries.

A vector has 512 numbers and unit length. The numbers are rounded to half precision, as in the database, and every peer
(peers.py) gets the rounded vectors. The vectors resemble embeddings of products:

- There are a few hundred clusters, which are kinds of products. Each category owns some clusters, so a filter on the
  category is a filter on a region of the space. Before a random rotation of all vectors, the standard deviation of the
  n-th component is proportional to n^-.5, so a neighbourhood has some 30 dimensions, not 512.
- All images share one direction, and all texts share another direction, orthogonal to the first (the modality gap). An
  image-like query is drawn in the same way as an image. A text-like query has the direction of texts, so the images
  nearest to the query are far away (cosine about .4), and an HNSW index finds these images less easily.

With 100,000 rows in pgvector (m 16, ef_construction 64), image-like queries have a recall@10 of .92 / .98 / .994 / .998
at ef_search 40 / 100 / 200 / 400. Text-like queries have .89 / .965 / .988 / .996.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DIMENSION = 512
SHARES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 0.0001)  # shares of all products; there is one category for each
OTHERS = 12  # this many other categories share the remaining products equally
CLUSTERS = 500  # about this many kinds of products
PRICES = 1000  # prices are spread evenly from 0 to this many EUR, so 1% of the products cost less than 10 EUR
WEIGHTS = 5000  # weights are spread evenly from 0 to this many grams
VERSION = 1  # version of the generated data; a kept database with data of another version is not used

Kind = Literal["image", "text"]
KINDS: tuple[Kind, ...] = ("image", "text")

_SPECTRUM = (np.arange(DIMENSION) + 1.0) ** -0.5
_SPECTRUM /= np.linalg.norm(_SPECTRUM)
_BLOCK = 50_000  # at most this many rows are generated at a time


@dataclass(frozen=True)
class Queries:
    """`vectors` (n, 512) are in half precision. `clusters` (n,) has the kind of product that each query looks for."""

    vectors: NDArray[np.float16]
    clusters: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.vectors)


class Catalog:
    """`images` and `titles` hold vectors (rows, 512) in half precision. `cluster` and `category` hold the numbers of
    each row's cluster and category."""

    def __init__(self, rows: int, seed: int = 1) -> None:
        self.rows, self.seed = rows, seed
        random = np.random.default_rng(seed)
        self._rotation = np.linalg.qr(random.standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)
        self._image, self._text = np.linalg.qr(random.standard_normal((DIMENSION, 2)))[0].T.astype(np.float32) * 0.9
        sizes = [*SHARES, *[(1 - sum(SHARES)) / OTHERS] * OTHERS]
        self.categories = [f"c{share * 100:g}" for share in SHARES] + [f"other {n}" for n in range(1, OTHERS + 1)]
        owned = [max(1, round(CLUSTERS * size)) for size in sizes]
        self.category_of_cluster = np.repeat(np.arange(len(sizes)), owned)
        centres = 0.5 * _draw(random, len(sizes))
        self._centres = centres[self.category_of_cluster] + 0.4 * _draw(random, sum(owned))
        popularity = random.pareto(1.5, sum(owned)) + 0.2
        per_category = np.bincount(self.category_of_cluster, popularity)
        self._share_of_cluster = (
            popularity / per_category[self.category_of_cluster] * np.array(sizes)[self.category_of_cluster]
        )

        counts = [max(1, round(rows * share)) for share in SHARES]  # exact, because filtered.py measures these shares
        left = rows - sum(counts)
        counts += [left // OTHERS + (n < left % OTHERS) for n in range(OTHERS)]
        random = np.random.default_rng([seed, rows])
        self.category = random.permutation(np.repeat(np.arange(len(counts)), counts))
        self.cluster = np.empty(rows, np.int64)
        for category, count in enumerate(counts):
            self.cluster[self.category == category] = self._clusters(random, count, category)
        self.price_rank = random.permutation(rows)
        self.weight_rank = random.permutation(rows)
        self.images = self._vectors(random, self.cluster, self._image, 1.0)
        self.titles = self._vectors(random, self.cluster, self._text, 0.8)

    @cached_property
    def prices(self) -> NDArray[np.int64]:
        """The prices in cents. Exactly the share `s` of all products costs less than `s * PRICES` EUR."""
        return self.price_rank * (PRICES * 100) // self.rows

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """The weights in tenths of grams. They are spread as evenly as prices."""
        return self.weight_rank * (WEIGHTS * 10) // self.rows

    def queries(
        self, kind: Kind, count: int, *, of: int | None = None, not_of: int | None = None, seed: int = 0
    ) -> Queries:
        """Returns queries for products of all categories, of the category `of`, or of all except `not_of`."""
        random = np.random.default_rng([self.seed, seed, KINDS.index(kind), (of or 0) + 1, (not_of or 0) + 1])
        clusters = self._clusters(random, count, of, not_of)
        common, noise = (self._image, 1.0) if kind == "image" else (self._text, 0.8)
        return Queries(self._vectors(random, clusters, common, noise), clusters)

    def other_images(self, numbers: NDArray[np.int64], seed: int) -> NDArray[np.float16]:
        """Returns vectors (n, 512) of other images of the products, which are of the same kinds as the products."""
        random = np.random.default_rng([self.seed, self.rows, seed])
        return self._vectors(random, self.cluster[numbers], self._image, 1.0)

    def _clusters(
        self, random: np.random.Generator, count: int, of: int | None = None, not_of: int | None = None
    ) -> NDArray[np.int64]:
        category, shares = self.category_of_cluster, self._share_of_cluster
        shares = np.where(category == of, shares, 0) if of is not None else shares
        shares = np.where(category == not_of, 0, shares) if not_of is not None else shares
        return random.choice(len(shares), count, p=shares / shares.sum())

    def _vectors(
        self, random: np.random.Generator, clusters: NDArray[np.int64], common: NDArray[np.float32], noise: float
    ) -> NDArray[np.float16]:
        made = np.empty((len(clusters), DIMENSION), np.float16)
        for start in range(0, len(clusters), _BLOCK):
            part = clusters[start : start + _BLOCK]
            vectors = (self._centres[part] + noise * _draw(random, len(part))) @ self._rotation + common
            made[start : start + _BLOCK] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return made


def _draw(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Returns random vectors of about unit length. On average, each component has a smaller absolute value than the
    component before it."""
    return random.standard_normal((count, DIMENSION), dtype=np.float32) * _SPECTRUM.astype(np.float32)
