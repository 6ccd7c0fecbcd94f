"""Hashes the look of an image. Copies of another size or quality get similar hashes, other images different hashes."""

import imagehash
import numpy as np
from PIL import Image

_SIDE = 96  # pixels; three times the side to which imagehash scales an image


def perceptual_hash(image: Image.Image) -> str:
    """Return the hash as 64 binary digits."""
    # The image is reduced first, because imagehash's own filter is slow on a large image.
    factor = max(1, min(image.size) // _SIDE)
    bits = np.asarray(imagehash.phash(image.reduce(factor)).hash).ravel()
    return "".join("1" if bit else "0" for bit in bits)
