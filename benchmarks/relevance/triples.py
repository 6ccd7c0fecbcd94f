"""Reads the triples of the benchmark `composed`, and builds the catalogs in which they are searched.

A triple is a product, a text that says how another product should differ from it ("but red"), and the products that are
right. A split is a set of nouns. The products are drawings whose head noun is in a split, and the model of this
split is trained without these nouns. So the model has learned neither the nouns nor the drawings. There are two kinds
of triples:

- *drawn*: the title of the right products names the difference. For "mountain" and "with snow", the title is
  "snow-capped mountain". Whoever wrote these triples saw the titles, but not the results of any search;
- *coloured*: the catalog of a split has twelve of its drawings in six colours. The right products have the same head
  noun and the wanted colour. They include other drawings in which this colour dominates.

The catalogs have the same images and differ only in the titles. In catalog `silent` a title is the head noun
("mountain"), so only an image shows the difference. In catalog `telling` a title also names the difference
("snow-capped mountain").

The nouns are divided into two halves. Constants are chosen on the triples of the half `tuning`; the goals apply to the
half `test`.
"""

import csv
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from db.catalog.product import Image, Product
from encoder.starter.pixels import on_white
from encoder.starter.training.pairs import Pair

FILE = Path(__file__).with_name("triples.csv")
CATALOGS = ("silent", "telling")

HUES = {"red": 0, "yellow": 55, "green": 120, "blue": 225, "purple": 272, "black": None}  # in degrees
_NEAR = 40  # hues that differ from the commonest hue by less than this many degrees are one colour


@dataclass(frozen=True, slots=True)
class Triple:
    split: int
    half: str  # tuning or test
    kind: str  # drawn or coloured
    source: str  # the name of the product that is given
    change: str
    right: frozenset[str]  # names


def read() -> list[Triple]:
    with FILE.open(newline="", encoding="utf-8") as stream:
        return [
            Triple(
                int(row["split"]),
                row["half"],
                row["kind"],
                row["source"],
                row["change"],
                frozenset(row["right"].split()),
            )
            for row in csv.DictReader(stream)
        ]


def coloured(triples: Sequence[Triple], split: int) -> list[str]:
    """Returns the names of the drawings that a split's catalog has in every colour."""
    return sorted({t.source.rpartition("-")[0] for t in triples if t.split == split and t.kind == "coloured"})


def products(pairs: Sequence[Pair], names: Sequence[str], catalog: str, folder: Path) -> Iterator[Product]:
    """Yields the product of each pair, and the product of each drawing in `names` in each colour. Writes the images
    into `folder`."""
    telling = catalog == "telling"
    for pair in pairs:
        stem = pair.image.stem
        shutil.copy(pair.image, folder / pair.image.name)
        yield Product(sku(stem), pair.title if telling else pair.noun, images=(Image(pair.image.name),))
        if stem not in names:
            continue
        with PillowImage.open(pair.image) as opened:
            drawing = on_white(opened)
        for colour in HUES:
            recoloured(drawing, colour).save(folder / f"{stem}-{colour}.png")
            title = f"{colour} {pair.title}" if telling else pair.noun
            yield Product(sku(f"{stem}-{colour}"), title, images=(Image(f"{stem}-{colour}.png"),))


def sku(name: str) -> str:
    """Returns the SKU of a product of triples.csv. The SKU names no colour, because searches read the words of SKUs."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def recoloured(drawing: PillowImage.Image, colour: str) -> PillowImage.Image:
    """Returns an RGB drawing in which the commonest colour is replaced by `colour`, a key of HUES."""
    hsv = np.asarray(drawing.convert("HSV"), dtype=np.float32)
    hue, saturation, value = hsv[..., 0] * 360 / 255, hsv[..., 1] / 255, hsv[..., 2] / 255
    strong = (saturation > 0.2) & (value > 0.2)
    counts, edges = np.histogram(hue[strong], bins=36, range=(0, 360))
    commonest = edges[int(counts.argmax())] + 5
    changed = (saturation > 0.14) & (np.abs((hue - commonest + 180) % 360 - 180) < _NEAR)
    wanted = HUES[colour]
    if wanted is None:
        saturation, value = np.where(changed, 0.1 * saturation, saturation), np.where(changed, 0.2 * value, value)
    else:
        hue = np.where(changed, wanted, hue)
        saturation = np.where(changed, np.maximum(saturation, 0.65), saturation)
        value = np.where(changed, 0.4 + 0.6 * value, value)
    made = np.stack([hue * 255 / 360, saturation * 255, value * 255], axis=-1).round().astype(np.uint8)
    return PillowImage.fromarray(made, mode="HSV").convert("RGB")
