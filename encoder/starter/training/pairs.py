"""Reads the 3,080 image-caption pairs from which the head learns. The folder ``encoder/starter/pairs`` is in the
repository, but not in the wheel."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from encoder.starter.errors import MissingPairs

PAIRS = Path(__file__).parents[1] / "pairs"

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Pair:
    image: Path
    title: str  # in lower case
    keywords: tuple[str, ...]
    noun: str  # the head noun of the title, which defines splits and relevance
    source: str
    licence: str

    @property
    def words(self) -> frozenset[str]:
        """The words of title and keywords in the singular. Training on this pair may teach the head these words."""
        return frozenset(words(" ".join((self.title, *self.keywords))))


def read(folder: Path = PAIRS) -> list[Pair]:
    """Returns all pairs. Raises MissingPairs if the folder has no pairs.csv, for example in an installed wheel."""
    table = folder / "pairs.csv"
    if not table.is_file():
        raise MissingPairs(str(folder))
    with table.open(newline="", encoding="utf-8") as stream:
        return [
            Pair(
                image=folder / row["image"],
                title=row["title"].strip().lower(),
                # The condition drops tags that are not words, such as 0x85b8e0c.
                keywords=tuple(k for k in row["keywords"].lower().split(";") if re.fullmatch(r"[a-z][a-z -]+", k)),
                noun=singular(row["head_noun"].strip().lower()),
                source=row["source"],
                licence=row["license"],
            )
            for row in csv.DictReader(stream)
        ]


def words(text: str) -> set[str]:
    """Returns the words of the text in the singular, and also the parts of compounds such as t-shirt."""
    found = set(_WORD.findall(text.lower()))
    parts = {part for word in found for part in word.split("-")}
    return {singular(word) for word in found | parts}


def singular(word: str) -> str:
    """Returns a rough singular, such as frog, fox and cherry for frogs, foxes and cherries. A rough form is enough,
    because singulars are only compared and never shown."""
    for ending, replacement in (("ies", "y"), ("ses", "s"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + replacement
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word
