"""Computes a hash of what an image looks like.

The hashes of two copies of an image in different sizes or qualities differ in few bits or none. The hashes of different
images usually differ in many bits.
"""

import imagehash
import numpy as np
from PIL import Image

_SIDE = 96  # pixels: no side is reduced below this length, which is three times the side that imagehash uses


def perceptual_hash(image: Image.Image) -> str:
    """Return the hash as 64 binary digits."""
    # The image is reduced first, because imagehash's own filter is slow on a large image.
    factor = max(1, min(image.size) // _SIDE)
    bits = np.asarray(imagehash.phash(image.reduce(factor)).hash).ravel()
    return "".join("1" if bit else "0" for bit in bits)
