"""Pictures to the tower's input: any Pillow picture becomes 256 x 256 RGB bytes on white.

No torch here, and Pillow releases the interpreter lock while it resamples: reader threads can do this part
while the device does the forward. Orientation tags are the picture opener's business, not ours.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from db.images.pixels import InputShape

SIDE = 256
SHAPE = InputShape(SIDE, SIDE, "pad")
WHITE = (255, 255, 255)


def batch(pictures: Sequence[Image.Image]) -> np.ndarray:
    """uint8 (n, 256, 256, 3). Channels last, as Pillow holds them and as the tower computes."""
    return np.stack([SHAPE.pixels(on_white(picture)) for picture in pictures])


def square(picture: Image.Image) -> Image.Image:
    """Fit the whole picture on a white 256 px square: products are shot on white."""
    return Image.fromarray(SHAPE.pixels(on_white(picture)))


def on_white(picture: Image.Image) -> Image.Image:
    """RGB, with whatever is transparent showing white."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        canvas = Image.new("RGBA", layer.size, (*WHITE, 255))
        canvas.alpha_composite(layer)
        return canvas.convert("RGB")
    if picture.mode[0] in "IF":
        return _deep_grey(picture)
    return picture.convert("RGB")


def _deep_grey(picture: Image.Image) -> Image.Image:
    """16 and 32-bit grey, which Pillow would clip at 255 and so turn white."""
    levels = np.asarray(picture, dtype=np.float64)
    if levels.max() > 255:
        levels = levels / 257
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8)).convert("RGB")
