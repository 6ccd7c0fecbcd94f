"""Compares the model's vectors of fixed inputs with stored vectors, to check an installation.

``golden.json`` holds the stored vectors, which ``write`` replaces. The images are drawn here, so no image file is
needed.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FILE = Path(__file__).with_name("golden.json")
AGREES = 0.9999  # least accepted cosine of a vector and its stored vector; float rounding alone costs less than .000001

TEXTS = ("black leather backpack", "a pair of running shoes", "red apple", "wall clock")


def images() -> list[Image.Image]:
    """Draws a red ball, a clock face on a transparent background, and a wide house."""
    ball = Image.new("RGB", (256, 256), "white")
    pen = ImageDraw.Draw(ball)
    pen.ellipse((38, 38, 218, 218), fill=(205, 32, 38))
    pen.ellipse((80, 70, 120, 105), fill=(238, 130, 130))

    clock = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    pen = ImageDraw.Draw(clock)
    pen.ellipse((20, 20, 280, 280), fill=(250, 250, 245, 255), outline=(40, 40, 40, 255), width=14)
    pen.line((150, 150, 150, 60), fill=(20, 20, 20, 255), width=10)
    pen.line((150, 150, 215, 180), fill=(20, 20, 20, 255), width=10)

    house = Image.new("RGB", (420, 260), (235, 240, 248))
    pen = ImageDraw.Draw(house)
    pen.rectangle((90, 120, 330, 240), fill=(214, 178, 120))
    pen.polygon(((70, 120), (210, 30), (350, 120)), fill=(150, 50, 40))
    pen.rectangle((185, 170, 235, 240), fill=(90, 60, 40))
    return [ball, clock, house]


def vectors(model: "SentenceTransformer") -> np.ndarray:
    """Returns the vectors of the texts and then of the images, float32 (7, 384)."""
    return np.vstack([model.encode(list(TEXTS)), model.encode(images())])


def agreement(model: "SentenceTransformer") -> float:
    """Returns the least cosine between a vector of ``model`` and the stored vector of the same input; see AGREES."""
    stored = np.array(json.loads(FILE.read_text(encoding="utf-8")))
    cosines = (vectors(model) * stored).sum(1) / np.linalg.norm(stored, axis=1)
    return float(cosines.min())


def write(model: "SentenceTransformer") -> None:
    rows = ",\n".join(json.dumps([round(float(x), 6) for x in row]) for row in vectors(model))
    FILE.write_text(f"[\n{rows}\n]\n", encoding="utf-8")
