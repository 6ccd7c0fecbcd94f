"""Draws, writes and reads the four held-out splits, which are committed as ``splits.json``.

A pair is a drawing with its texts, and the head noun of its title says what the drawing shows (pairs.py). A split is a
set of head nouns that are held out. The test side of the split has the pairs with one of these head nouns. The training
side has the pairs whose title, keywords and head noun contain none of these nouns. All other pairs belong to neither
side. For example, if dog is held out, an image of a kennel with the keyword "dog" belongs to neither side. So no title,
keyword or head noun of the training side has the head noun of a test pair. There is one exception: ``pairs.csv`` has
the misspelt head noun ``sho`` for four pairs of tennis and ballet shoes. These pairs are on the test side of the first
split, whose training side has 13 pairs with the word shoe.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from encoder.starter.training.pairs import Pair

FILE = Path(__file__).with_name("splits.json")
COUNT = 4  # number of splits
SEED = 7  # the seed with which the committed splits were drawn

# A noun, such as food or tool, is not held out if more than this many pairs with other head nouns mention it. Otherwise
# too few pairs would remain for the training side.
TOO_GENERAL = 40


def read() -> list[frozenset[str]]:
    return [frozenset(nouns) for nouns in json.loads(FILE.read_text(encoding="utf-8"))]


def write(splits: Sequence[frozenset[str]]) -> None:
    rows = ",\n".join(json.dumps(sorted(nouns), ensure_ascii=False) for nouns in splits)
    FILE.write_text(f"[\n{rows}\n]\n", encoding="utf-8")


def draw(pairs: Sequence[Pair], seed: int = SEED) -> list[frozenset[str]]:
    mentions = Counter(word for pair in pairs for word in pair.words - {pair.noun})
    nouns = sorted({pair.noun for pair in pairs if mentions[pair.noun] <= TOO_GENERAL})
    random.Random(seed).shuffle(nouns)
    return [frozenset(nouns[k::COUNT]) for k in range(COUNT)]


def sides(pairs: Sequence[Pair], held_out: frozenset[str]) -> tuple[list[int], list[int]]:
    """Returns the indices of the training side and of the test side."""
    train = [i for i, pair in enumerate(pairs) if pair.noun not in held_out and not pair.words & held_out]
    test = [i for i, pair in enumerate(pairs) if pair.noun in held_out]
    return train, test
