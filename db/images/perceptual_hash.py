"""Hashes how an image looks: copies of another size or quality get near hashes, other images distant hashes."""

import imagehash
import numpy as np
from PIL import Image

_SIDE = 96  # pixels, three times the side that is hashed


def perceptual_hash(image: Image.Image) -> str:
    """Return the hash as 64 binary digits."""
    factor = max(1, min(image.size) // _SIDE)  # reduced first, because imagehash's own filter is slow on a large image
    bits = np.asarray(imagehash.phash(image.reduce(factor)).hash).ravel()
    return "".join("1" if bit else "0" for bit in bits)
