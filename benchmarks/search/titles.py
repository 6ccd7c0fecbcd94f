"""Generates the titles and other words of the catalog, and query texts that fit the titles.

Words consist of syllables. The frequency of a word falls with the rank of the word. Each of the ten most frequent words
is in 5 to 17% of all titles, and most words are rare. Each kind of product has words of its own. One title in fifty has
a typing error.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.data import CLUSTERS, Catalog

VOCABULARY = 20_000
OWN_WORDS = 6  # each kind of product has this many words of its own
COLORS = ("black", "white", "red", "blue", "green", "yellow", "brown", "grey", "pink", "orange", "purple", "beige")
SEASONS = ("spring", "summer", "autumn", "winter")

Wording = Literal["common", "rare", "mixed", "typo"]
WORDINGS: tuple[Wording, ...] = ("common", "rare", "mixed", "typo")


class Words:
    def __init__(self, seed: int) -> None:
        random = np.random.default_rng([seed, VOCABULARY])
        onsets, vowels, ends = [*"bdfgklmnprstvz", "br", "st", "tr", "kl"], "aeiou", "lmnrkt"
        made: dict[str, None] = {}
        while len(made) < VOCABULARY:
            syllables = (str(random.choice(onsets)) + vowels[random.integers(5)] for _ in range(random.integers(2, 4)))
            made["".join(syllables) + ends[random.integers(6)]] = None
        self.words = np.array(list(made))
        often = 1 / (np.arange(VOCABULARY) + 3.0)
        self.often = np.cumsum(often / often.sum())
        self.own = random.integers(VOCABULARY // 20, VOCABULARY, (2 * CLUSTERS, OWN_WORDS))  # rare words

    def usual(self, random: np.random.Generator, count: int) -> list[str]:
        return list(self.words[np.searchsorted(self.often, random.random(count))])

    def of_kind(self, random: np.random.Generator, cluster: np.int64, count: int) -> list[str]:
        return list(self.words[random.choice(self.own[cluster], count, replace=False)])


def mistyped(random: np.random.Generator, word: str) -> str:
    """Returns the word with two neighbouring letters exchanged. The first letter stays in its place."""
    at = int(random.integers(1, len(word) - 1))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def titles(catalog: Catalog) -> Iterator[str]:
    words, random = Words(catalog.seed), np.random.default_rng([catalog.seed, catalog.rows, 1])
    for cluster in catalog.cluster:
        title = words.of_kind(random, cluster, 2) + words.usual(random, int(random.integers(3, 8)))
        if random.random() < 0.02:
            title[0] = mistyped(random, title[0])
        yield " ".join(title)


def query_texts(catalog: Catalog, clusters: NDArray[np.int64], wording: Wording) -> list[str]:
    """Returns a text for each of `clusters`. A text of the wording "common" has two of the ten most frequent words. A
    text of the wording "mixed" has one word of the cluster and two of the ten most frequent words. The other texts have
    two words of the cluster."""
    words = Words(catalog.seed)
    random = np.random.default_rng([catalog.seed, WORDINGS.index(wording), 2])
    texts = []
    for cluster in clusters:
        own = words.of_kind(random, cluster, 2)
        common = list(words.words[random.choice(10, 2, replace=False)])
        chosen = {
            "common": common,
            "rare": own,
            "mixed": [own[0], *common],
            "typo": [mistyped(random, own[0]), own[1]],
        }[wording]
        texts.append(" ".join(chosen))
    return texts
