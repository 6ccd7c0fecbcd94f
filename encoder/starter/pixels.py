"""Prepares the input of the image tower (tower.py): turns any Pillow image into 256 x 256 RGB bytes with a white
background.

This module does not use torch, and Pillow releases the interpreter lock while it resamples. So other threads can
prepare images during a forward pass. The images are upright: db/images/opening.py has already applied orientation tags.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from db.images.pixels import InputShape

SIDE = 256
SHAPE = InputShape(SIDE, SIDE, "pad")
WHITE = (255, 255, 255)


def batch(images: Sequence[Image.Image]) -> np.ndarray:
    """Returns uint8 (n, 256, 256, 3). The channels come last, as in Pillow's images and in the tower's memory
    format."""
    return np.stack([SHAPE.pixels(on_white(image)) for image in images])


def square(image: Image.Image) -> Image.Image:
    """Fit the whole image on a 256 px square. The square is white because products are photographed on white."""
    return Image.fromarray(SHAPE.pixels(on_white(image)))


def on_white(image: Image.Image) -> Image.Image:
    """Returns the image as RGB, with white in transparent areas."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas = Image.new("RGBA", layer.size, (*WHITE, 255))
        canvas.alpha_composite(layer)
        return canvas.convert("RGB")
    if image.mode[0] in "IF":
        return _deep_grey(image)
    return image.convert("RGB")


def _deep_grey(image: Image.Image) -> Image.Image:
    """Convert 16-bit and 32-bit grey to RGB. Pillow would clip the values at 255, which makes the image white."""
    levels = np.asarray(image, dtype=np.float64)
    if levels.max() > 255:
        levels = levels / 257
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8)).convert("RGB")
