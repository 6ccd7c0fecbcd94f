"""Generates a Google feed for measurements of loads. Its rows are about as long as the rows of a shop's feed."""

import random
from collections.abc import Iterator
from pathlib import Path

HEADER = (
    "id", "title", "description", "link", "image link", "additional image link", "availability", "price", "sale price",
    "brand", "gtin", "mpn", "google product category", "product type", "color", "size", "material", "gender",
    "item group id", "condition",
)  # fmt: skip
WORDS = (
    "leather", "canvas", "urban", "commuter", "slim", "travel", "vintage", "waterproof", "light", "padded",
    "classic", "small", "large", "everyday", "weekend", "outdoor", "bag", "backpack", "tote", "wallet", "satchel",
    "case", "sleeve", "pouch", "strap", "belt", "shirt", "jacket", "coat", "boot", "sneaker", "lamp", "chair",
)  # fmt: skip
COLORS = ("black", "brown", "navy", "sand", "red", "olive", "grey", "white")


def write_feed(path: Path, rows: int, seed: int = 1) -> int:
    """Write the feed. Returns its size in bytes."""
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join(HEADER) + "\n")
        file.writelines("\t".join(row) + "\n" for row in _rows(rows, random.Random(seed)))
    return path.stat().st_size


def _rows(count: int, chance: random.Random) -> Iterator[tuple[str, ...]]:
    for number in range(count):
        color, price = chance.choice(COLORS), chance.randrange(500, 30_000)
        title = f"{color.title()} {' '.join(chance.choices(WORDS, k=4))} {number}"
        body = f"{400_000_000_000 + number}"
        check_digit = -(sum(map(int, body[::2])) + 3 * sum(map(int, body[1::2]))) % 10
        address = f"https://img.example/{number:08}"
        yield (
            f"SKU-{number:08}", title, " ".join(chance.choices(WORDS, k=60)), f"https://shop.example/p/{number}",
            f"{address}.jpg", f"{address}-2.jpg,{address}-3.jpg", chance.choice(("in_stock", "out_of_stock")),
            f"{price / 100:.2f} EUR", "", f"Brand {number % 500}", f"{body}{check_digit}", f"M{number}",
            "Apparel & Accessories > Handbags", f"Bags > {chance.choice(WORDS).title()}", color, chance.choice("SML"),
            "leather", "unisex", f"G-{number // 4}", "new",
        )  # fmt: skip
