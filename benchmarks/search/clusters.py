"""Generates a catalog of separate clusters of very different sizes and densities, and queries: texts, and mixes of
products.

In this catalog, one scan of an HNSW index misses the nearest products more often than in the catalog of data.py. A
dense cluster has few edges to other clusters, and most mixes lie between clusters. The same arguments always give the
same catalog and queries.

- The sizes of the clusters follow Zipf's law. Their spreads are between .05 (almost one point) and 1.2 (hardly a
  cluster).
- 8% of all products have neither images nor vectors. Each other product has 1 to 8 images. In 5% of all products, the
  images are nearly those of another product. In 2%, they are exactly those of another product.
- The products belong to one catalog, or to four catalogs: a large one, one a quarter as large, and two small ones.
- All products of a cluster have the same product type, so a filter on a product type selects regions of the vector
  space. A duplicate keeps its own product type, which can differ from the type of the product that it duplicates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

DIMENSION = 128
CLUSTERS = 400
SPREADS = (0.05, 1.2)  # length of a product's deviation from the centre of its cluster; a centre has length 1
MOST_IMAGES = 8
IMAGE_NOISE = 0.15  # length of an image's deviation from its product
NEAR_DUPLICATES, EXACT_DUPLICATES, WITHOUT_VECTORS = 0.05, 0.02, 0.08  # shares of all products
ONE_CATALOG = {"main": 1.0}
CATALOGS = {"main": 0.778, "second": 0.2, "third": 0.02, "fourth": 0.002}  # each catalog's share of all products
TYPES = (0.5, 0.2, 0.1, 0.05, 0.02)  # the approximate share of each product type in all products
TEXT_NOISE = 0.4  # length of the random part of a text's deviation from its product; text_direction is the other part
VERSION = 1  # version of the generated data; a kept database with data of another version is not used


@dataclass(frozen=True)
class Mix:
    """A query of weighted products. `products` identifies these products by their numbers in the catalog. `vector` is
    the weighted sum of the unit vectors of the products' first images, scaled to length 1."""

    products: NDArray[np.int64]
    weights: NDArray[np.float64]
    vector: NDArray[np.float32]


class ClusteredCatalog:
    """A product's number is its index in `cluster`, `catalog` and `product_type`, which have an entry for each product.
    `images` has the vectors of all images in half precision. `product` and `position` have, for each of these vectors,
    the number of the product and the position of the image. `encoded` lists the products with vectors by their numbers,
    and `titles` has the title vectors of these products."""

    def __init__(self, rows: int, shares: Mapping[str, float] = ONE_CATALOG, seed: int = 1) -> None:
        self.rows, self.shares, self.seed = rows, shares, seed
        random = np.random.default_rng([seed, rows])
        centres = _units(random.standard_normal((CLUSTERS, DIMENSION)))
        self.text_direction = _units(random.standard_normal((1, DIMENSION)))[0]
        spreads = random.uniform(*SPREADS, CLUSTERS)
        sizes = 1 / np.arange(1, CLUSTERS + 1)
        sizes /= sizes.sum()
        self.cluster = random.choice(CLUSTERS, rows, p=sizes)
        self._vectors = _units(centres[self.cluster] + spreads[self.cluster, None] * _noise(random, rows))
        self.catalog = random.choice(list(shares), rows, p=list(shares.values()))
        self.product_type = self._types(random, sizes)[self.cluster]

        counts = random.integers(1, MOST_IMAGES + 1, rows)
        shuffled = random.permutation(rows)
        near, exact, without = (round(rows * share) for share in (NEAR_DUPLICATES, EXACT_DUPLICATES, WITHOUT_VECTORS))
        copies, sources = shuffled[: near + exact], random.permutation(shuffled[near + exact :])[: near + exact]
        self._vectors[copies] = self._vectors[sources]
        counts[copies[near:]] = counts[sources[near:]]
        self.product = np.repeat(np.arange(rows), counts)
        first = np.cumsum(counts) - counts
        self.position = np.arange(len(self.product)) - first[self.product]
        images = _units(self._vectors[self.product] + IMAGE_NOISE * _noise(random, len(self.product)))
        for copy, source in zip(copies, sources, strict=True):
            some = min(counts[copy], counts[source])
            images[first[copy] : first[copy] + some] = images[first[source] : first[source] + some]
        nearly = np.isin(self.product, copies[:near])
        images[nearly] = _units(images[nearly] + 0.02 * _noise(random, int(nearly.sum())))

        encoded = np.ones(rows, bool)
        encoded[shuffled[-without:]] = False
        self.encoded = np.flatnonzero(encoded)
        kept = encoded[self.product]
        self.product, self.position = self.product[kept], self.position[kept]
        self.images = images[kept].astype(np.float16)
        self.titles = self._texts(random, self.encoded)

    @cached_property
    def first_image(self) -> dict[int, int]:
        """Maps the number of each encoded product to the row of its first image in `images`."""
        rows = np.flatnonzero(self.position == 0)
        return dict(zip(self.product[rows].tolist(), rows.tolist(), strict=True))

    def texts(self, count: int, of: NDArray[np.bool_] | None = None, seed: int = 1) -> NDArray[np.float16]:
        """Returns the vectors of texts about random products. The mask `of` limits the choice of products."""
        random = np.random.default_rng([self.seed, self.rows, seed])
        products = self.encoded if of is None else self.encoded[of[self.encoded]]
        return self._texts(random, random.choice(products, count))

    def mixes(self, count: int, catalog: str = "main") -> list[Mix]:
        """Returns mixes of two or three products. The last weight of every second mix is negative."""
        random = np.random.default_rng([self.seed, self.rows, 2, list(self.shares).index(catalog)])
        there = self.encoded[self.catalog[self.encoded] == catalog]
        mixes = []
        for number in range(count):
            products = random.choice(there, 2 + number // 2 % 2, replace=False)
            weights = random.uniform(0.3, 1, len(products)).round(2)
            weights[-1] *= -0.6 if number % 2 else 1
            rows = [self.first_image[product] for product in products.tolist()]
            mixed = weights @ _units(self.images[rows].astype(np.float64))
            mixes.append(Mix(products, weights, _units(mixed[None])[0].astype(np.float32)))
        return mixes

    def _types(self, random: np.random.Generator, shares: NDArray[np.float64]) -> NDArray[np.str_]:
        """Returns the product type of each cluster. Each cluster, in random order, gets a random type that has room for
        the cluster. If no type has room, the cluster gets the type "other"."""
        left = dict(zip((f"t{share * 100:g}" for share in TYPES), TYPES, strict=True))
        types = np.full(CLUSTERS, "other", object)
        for cluster in random.permutation(CLUSTERS):
            for name in random.permutation(list(left)):
                if shares[cluster] <= left[name]:
                    types[cluster] = name
                    left[name] -= shares[cluster]
                    break
        return types.astype(str)

    def _texts(self, random: np.random.Generator, products: NDArray[np.int64]) -> NDArray[np.float16]:
        vectors = self._vectors[products] + TEXT_NOISE * _noise(random, len(products)) + self.text_direction
        return _units(vectors).astype(np.float16)


def _noise(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Returns random vectors of about unit length."""
    return np.asarray(random.standard_normal((count, DIMENSION)) / np.sqrt(DIMENSION))


def _units(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
