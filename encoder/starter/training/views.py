"""Three views of every picture, and the colour that rules it.

The tower is frozen, so a view is computed once and cached: augmentation has to happen here, in pixels.
"""

import colorsys

import numpy as np
from PIL import Image

COUNT = 3

# Raise it when the arithmetic of views, pixels or tower changes, so that cached features are not reused.
VERSION = 2

_RULES = 0.45  # share of the object a colour needs to be named in a caption

# Upper bound of each hue band, in degrees.
_BANDS = (
    (15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (290, "purple"), (342, "pink"),
    (361, "red"),
)  # fmt: skip


def views(picture: Image.Image, seed: int) -> list[Image.Image]:
    """The original; mirrored, rescaled on a tinted ground; and with its hues turned."""
    rng = np.random.default_rng(seed)
    return [picture, _moved(picture, rng), _recoloured(picture, rng)]


def colour(picture: Image.Image) -> str:
    """The name of the colour that covers over 45 % of the object, or ''. White grounds do not count, so
    white things have no name."""
    hsv = np.asarray(picture.convert("HSV").resize((64, 64)), dtype=np.float32).reshape(-1, 3)
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
    return str(found[best]) if counts[best] > _RULES * thing.sum() else ""


def _moved(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = picture.width
    size = round(side * rng.uniform(0.6, 0.95))
    small = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((size, size), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", picture.size, "white")
    canvas.paste(small, (int(rng.integers(0, side - size + 1)), int(rng.integers(0, side - size + 1))))
    tint = np.array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0, 0.25), rng.uniform(0.8, 1.0)))
    # Multiplying tints the white ground fully and the object a little, and keeps its soft edges.
    return Image.fromarray((np.asarray(canvas) * tint).round().astype(np.uint8))


def _recoloured(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    hsv = np.array(picture.convert("HSV"))
    hsv[..., 0] += np.uint8(rng.integers(30, 226))  # bytes wrap around, as hues do
    return Image.fromarray(hsv, mode="HSV").convert("RGB")
