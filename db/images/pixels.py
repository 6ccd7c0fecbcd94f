"""Turns an upright RGB image into the input of a model's image encoder. Decoder processes run this code, without torch.

The values of pixels stay in the range 0 to 255, because it is faster to normalise them on the model's device.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (height, width, 3), or (images, height, width, 3)

Fit = Literal["crop", "stretch", "pad", "within"]


@dataclass(frozen=True, slots=True)
class InputShape:
    """How an image of any size becomes an image of `height` x `width` pixels, or an image that fits this size.

    crop     the shorter side is scaled to `edge` pixels, then the middle is cut out (CLIP)
    stretch  both sides are resized to fit, so the proportions may change (SigLIP)
    pad      the whole image is scaled to fit and centred on a white background (starter)
    within   a larger image is reduced in proportion; the model's own processor does the remaining steps
    """

    height: int
    width: int
    fit: Fit
    edge: int = 0
    resample: int = Image.Resampling.BICUBIC
    rounds_middle: bool = False  # whether half a margin is rounded (torchvision) or rounded down (transformers)

    @property
    def bytes(self) -> int:
        """The largest size of one image, in bytes."""
        return self.height * self.width * 3

    def at_least(self, width: int, height: int) -> tuple[int, int]:
        """Return the smallest size to which a `width` x `height` image may be decoded.

        A JPEG decoder can return the image at half, a quarter or an eighth of its size, in a fraction of the time. The
        smaller size changes the image's vector less than another JPEG quality does.
        """
        if self.fit == "crop":
            return self.edge, self.edge
        if self.fit == "stretch":
            return self.width, self.height
        scale = self._scale(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def pixels(self, image: Image.Image) -> Pixels:
        """Return the pixels of an RGB image.

        With crop and stretch, they equal the pixels that the model's published processor returns, if it uses Pillow.
        """
        if self.fit == "crop":
            return np.asarray(self._crop(image))
        if self.fit == "stretch":
            return np.asarray(self._resize(image, (self.width, self.height)))
        scale = self._scale(image.width, image.height)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        # reducing_gap first shrinks a 4,000 px photograph by a whole factor, which is several times faster.
        fitted = image if image.size == size else image.resize(size, self._filter, reducing_gap=2.0)
        if self.fit == "within" or size == (self.width, self.height):
            return np.asarray(fitted)
        canvas = Image.new("RGB", (self.width, self.height), "white")
        canvas.paste(fitted, ((self.width - size[0]) // 2, (self.height - size[1]) // 2))
        return np.asarray(canvas)

    def _crop(self, image: Image.Image) -> Image.Image:
        short = min(image.size)
        # A 1 x 10,000 strip is cut to its middle first, because resizing the whole strip would need gigabytes.
        if max(image.size) > 4 * short:
            image = _middle(image, min(image.width, 4 * short), min(image.height, 4 * short))
        scaled = [self.edge if side == short else int(self.edge * side / short) for side in image.size]
        return _middle(self._resize(image, (scaled[0], scaled[1])), self.width, self.height, rounds=self.rounds_middle)

    def _resize(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        return image if image.size == size else image.resize(size, self._filter)

    def _scale(self, width: int, height: int) -> float:
        scale = min(self.width / width, self.height / height)
        return min(scale, 1.0) if self.fit == "within" else scale

    @property
    def _filter(self) -> Image.Resampling:
        return Image.Resampling(self.resample)


def _middle(image: Image.Image, width: int, height: int, *, rounds: bool = False) -> Image.Image:
    left, top = (round(edge / 2) if rounds else edge // 2 for edge in (image.width - width, image.height - height))
    return image.crop((left, top, left + width, top + height))
