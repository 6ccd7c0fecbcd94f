"""Draws images and loads catalogs of the drawn images."""

import colorsys
from pathlib import Path

from PIL import Image, ImageDraw

from db.catalog.product import Image as ProductImage
from db.catalog.product import Product
from db.catalog.store import UpsertCounts, staging, upsert
from db.engine import Database
from db.roles import Role


def draw(path: Path, number: int, size: int = 48) -> None:
    """Draw an image that is different for each number."""
    hue = (number * 0.61803) % 1
    color = tuple(int(255 * channel) for channel in colorsys.hsv_to_rgb(hue, 0.8, 0.9))
    image = Image.new("RGB", (size, size), "white")
    left, top = number * 7 % (size // 2), number * 13 % (size // 2)
    ImageDraw.Draw(image).rectangle((left, top, left + size // 2, top + size // 3), fill=color)
    image.save(path)


def load_drawings(database: Database, folder: Path, count: int) -> UpsertCounts:
    """Load `count` products with one drawn image each. The SKUs are `p0`, `p1` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draw(folder / f"{number}.png", number)
    with database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            for number in range(count):
                stage(Product(f"p{number}", f"thing {number}", images=(ProductImage(f"{number}.png"),)))
        return upsert(conn, image_root=folder)
