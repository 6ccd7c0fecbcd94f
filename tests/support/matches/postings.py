"""Writes postings in the layout of the Shopee product-matching data: several sellers post images and titles of a
product.

Each group starts from one drawing of the sample catalog. A seller's image is cropped, framed, recoloured, rescaled or
mirrored and saved as JPEG; a seller's title drops, adds, swaps and misspells words. Drawings of one kind of thing look
alike, so the postings contain hard cases, such as two different guitars.
"""

import csv
import random
import string
from dataclasses import dataclass
from pathlib import Path

import imagehash
from PIL import Image, ImageEnhance, ImageOps

from loader.sample import FOLDER as SAMPLE

SELLER_WORDS = (
    *("original", "murah", "promo", "ready", "stock", "new", "best", "seller", "grosir"),
    *("import", "terbaru", "cod", "100%", "premium", "sale"),
)
MAKERS = ("Sedara", "Kirana", "Bintang", "Lumo", "Vesta", "Orbit", "Mekar", "Tirta", "Nusa", "Halia")


@dataclass(frozen=True)
class Posting:
    posting_id: str
    image: str
    image_phash: str
    title: str
    label_group: str


def write_postings(folder: Path, groups: range, seed: int = 0) -> list[Posting]:
    """Write `train.csv` and `train_images/`, with two, three, four or six postings for each number in `groups`."""
    with (SAMPLE / "products.csv").open(newline="", encoding="utf-8") as stream:
        things = list(csv.DictReader(stream))
    random.Random(0).shuffle(things)
    images = folder / "train_images"
    images.mkdir(parents=True, exist_ok=True)
    postings: list[Posting] = []
    for group in groups:
        chance = random.Random(f"{seed} {group}")
        thing = things[group]
        words = _words(thing, chance)
        with Image.open(SAMPLE / thing["image"]) as image:
            original = _on_white(image)
        for number in range(chance.choices((2, 3, 4, 6), (50, 25, 15, 10))[0]):
            name = f"{group:04}-{number}.jpg"
            photo = _photo(original, chance)
            photo.save(images / name, quality=chance.randint(35, 95))
            with Image.open(images / name) as saved:
                phash = str(imagehash.phash(saved))
            postings.append(Posting(f"post_{group:04}_{number}", name, phash, _title(words, chance), str(group)))
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(Posting.__annotations__)
        writer.writerows([p.posting_id, p.image, p.image_phash, p.title, p.label_group] for p in postings)
    return postings


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _photo(original: Image.Image, chance: random.Random) -> Image.Image:
    """Returns another seller's version of the same image, with several small edits and sometimes a large edit."""
    photo = original
    width, height = photo.size
    cut = chance.choice((0, 0, 0.03, 0.08, 0.2))
    left, top = chance.uniform(0, cut) * width, chance.uniform(0, cut) * height
    photo = photo.crop((int(left), int(top), int(left + (1 - cut) * width), int(top + (1 - cut) * height)))
    if chance.random() < 0.3:
        photo = ImageOps.expand(photo, int(chance.uniform(0.02, 0.12) * width), chance.choice(("white", "red", "#222")))
    if chance.random() < 0.15:
        photo = ImageOps.mirror(photo)
    photo = ImageEnhance.Brightness(photo).enhance(chance.uniform(0.75, 1.2))
    photo = ImageEnhance.Color(photo).enhance(chance.uniform(0.7, 1.4))
    size = chance.uniform(0.6, 1.6)
    return photo.resize((max(8, int(photo.width * size)), max(8, int(photo.height * size))))


def _words(thing: dict[str, str], chance: random.Random) -> list[str]:
    """Returns the words of a product: its title, up to three of its keywords, and often a maker and a model number."""
    keywords = [word for word in thing["keywords"].replace(";", " ").split() if len(word) > 2]
    own = thing["title"].split() + chance.sample(keywords, min(len(keywords), chance.randint(1, 3)))
    if chance.random() < 0.6:
        own = [chance.choice(MAKERS), *own, f"{chance.choice('ABKX')}{chance.randint(1, 40)}"]
    return own


def _title(words: list[str], chance: random.Random) -> str:
    title = [word for word in words if chance.random() > 0.2] or list(words)
    if chance.random() < 0.4:
        chance.shuffle(title)
    for word in chance.sample(SELLER_WORDS, chance.randint(0, 4)):
        title.insert(chance.randint(0, len(title)), word.upper() if chance.random() < 0.3 else word)
    if chance.random() < 0.3:
        index = chance.randrange(len(title))
        title[index] = _misspelt(title[index], chance)
    return " ".join(title)


def _misspelt(word: str, chance: random.Random) -> str:
    index = chance.randrange(len(word))
    return (
        word[:index] + chance.choice(("", word[index] * 2, chance.choice(string.ascii_lowercase))) + word[index + 1 :]
    )
