"""Builds three catalogs of images whose concepts a model has not seen. The catalogs differ only in the products'
titles. Each catalog is searched by one suite of judged queries.

A query is the title of a held-out image, as in the starter's model card. Images with that title have grade 3. Other
images with the same head noun have grade 1, such as a green apple for the query "red apple".

- suite *semantic*, catalog `hidden`: a product's title has no word of any query for which the product is relevant. The
  title consists of the image's other tags ("cog cogwheel tool" for a gear). An image without other tags gets a
  word of its category as the title. In such a catalog, the query "black leather backpack" has to find a product with
  the title "urban commuter bag": keywords cannot find the product, but the title's meaning and the image can.
- suite *lexical*, catalog `named`: the title is the image's own title and then the title in `hidden` ("gear cog
  cogwheel tool").
- suite *neutral*, catalog `neutral`: the title is one word of the category ("tool"), as in a shop that does not
  describe its products.

All catalogs hold the same images, and all suites have the same queries and judgements, so only the titles make a
difference. Fusion weights are fitted on the first two suites, which have goals. The third suite shows how good these
weights are for a catalog on which they were not fitted.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from db.catalog.product import Image, Product
from db.evaluation.judgements import Judgement
from encoder.starter.training.pairs import Pair, words

SUITES = {"semantic": "hidden", "lexical": "named", "neutral": "neutral"}
FITTED = ("semantic", "lexical")
TAGS = 3  # at most this many tags in a title


def products(pairs: Sequence[Pair], categories: Sequence[str], catalog: str) -> Iterator[Product]:
    for pair, category, taken in zip(pairs, categories, words_to_hide(pairs), strict=True):
        title = kind = next(part for part in (*_parts(category), "picture") if not shares(part, taken))
        if catalog != "neutral":
            tags = [tag for tag in dict.fromkeys(pair.keywords) if not shares(tag, taken)][:TAGS]
            title = " ".join(tags) or kind
        if catalog == "named":
            title = f"{pair.title} {title}"
        yield Product(pair.image.stem, title, images=(Image(f"images/{pair.image.name}"),))


def judgements(pairs: Sequence[Pair]) -> Iterator[Judgement]:
    for suite, catalog in SUITES.items():
        for title, noun in {pair.title: pair.noun for pair in pairs}.items():
            for pair in pairs:
                if pair.noun == noun:
                    grade = 3 if pair.title == title else 1
                    yield Judgement(suite, catalog, title, None, None, pair.image.stem, grade)


def words_to_hide(pairs: Sequence[Pair]) -> list[set[str]]:
    """Returns, for each pair, the words of all titles that have the pair's head noun. These titles are the queries for
    which the pair is relevant."""
    taken: dict[str, set[str]] = {}
    for pair in pairs:
        taken.setdefault(pair.noun, set()).update(words(pair.title), {pair.noun})
    return [taken[pair.noun] for pair in pairs]


def shares(phrase: str, taken: set[str]) -> bool:
    """Returns whether some word of `phrase` equals, contains or is part of some word in `taken`. For example,
    "froggies" contains "frog". A word of fewer than three letters only counts if it equals the other word."""
    return any(
        word == other or (min(len(word), len(other)) >= 3 and (word in other or other in word))
        for word in words(phrase)
        for other in taken
    )


def _parts(category: str) -> list[str]:
    """Returns the parts of a category, the most specific part first. For example, the parts of
    "animals-nature/animal-mammal" are ["mammal", "animal", "nature", "animals"]."""
    return [part for part in reversed(re.split(r"[/_-]", category)) if part]


def categories(table: Path, pairs: Sequence[Pair]) -> list[str]:
    """Returns the category of each pair. Training does not use categories."""
    with table.open(newline="", encoding="utf-8") as stream:
        by_name = {Path(row["image"]).name: row["category"].lower() for row in csv.DictReader(stream)}
    return [by_name[pair.image.name] for pair in pairs]
