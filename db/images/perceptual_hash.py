"""Computes a hash of what an image looks like.

Copies of an image in another size or quality get similar hashes. Other images get different hashes.
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
