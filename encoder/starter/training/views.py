"""Generates three views of an image, and names the dominant colour of an image.

The tower is frozen and the features of each view are cached, so augmentation must happen here, in pixels.
"""

import colorsys

import numpy as np
from PIL import Image

COUNT = 3  # views of each image

# Raise this number when the arithmetic of views.py, pixels.py or tower.py changes, so that cached features are not
# reused.
VERSION = 2

_DOMINATES = 0.45  # a colour dominates if it covers more than this share of the object; captions may then name it

# Upper bound of each hue band, in degrees.
_BANDS = (
    (15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (290, "purple"), (342, "pink"),
    (361, "red"),
)  # fmt: skip


def views(image: Image.Image, seed: int) -> list[Image.Image]:
    """Returns the original, a mirrored and rescaled copy on a tinted background, and a copy with turned hues."""
    rng = np.random.default_rng(seed)
    return [image, _moved(image, rng), _recoloured(image, rng)]


def colour(image: Image.Image) -> str:
    """Returns the name of the colour that covers over 45 % of the object, or '' if no colour does. White counts as
    background, so the function returns '' for white objects."""
    hsv = np.asarray(image.convert("HSV").resize((64, 64)), dtype=np.float32).reshape(-1, 3)
    hue, saturation, value = hsv[:, 0] * 360 / 255, hsv[:, 1] / 255, hsv[:, 2] / 255
    thing = (saturation > 0.08) | (value < 0.94)
    if thing.sum() < 40:
        return ""
    names = np.full(len(hue), "red", dtype="<U6")
    lower = 15.0
    for upper, name in _BANDS[1:]:
        names[(hue >= lower) & (hue < upper)] = name
        lower = upper
    names[((names == "orange") | (names == "red")) & (value < 0.62) & (saturation < 0.75)] = "brown"
    names[(names == "orange") & (value < 0.62)] = "brown"
    names[saturation < 0.14] = "gray"
    names[value < 0.2] = "black"
    found, counts = np.unique(names[thing], return_counts=True)
    best = int(counts.argmax())
    return str(found[best]) if counts[best] > _DOMINATES * thing.sum() else ""


def _moved(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = image.width
    size = round(side * rng.uniform(0.6, 0.95))
    small = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((size, size), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(small, (int(rng.integers(0, side - size + 1)), int(rng.integers(0, side - size + 1))))
    tint = np.array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0, 0.25), rng.uniform(0.8, 1.0)))
    # A multiplication tints the white background fully and the object a little, and keeps the object's soft edges.
    return Image.fromarray((np.asarray(canvas) * tint).round().astype(np.uint8))


def _recoloured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(rng.integers(30, 226))  # bytes wrap around, like hues
    return Image.fromarray(hsv, mode="HSV").convert("RGB")
