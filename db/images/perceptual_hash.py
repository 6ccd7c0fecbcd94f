"""A fingerprint of how an image looks: near for copies of another size or quality, far for other images."""

import imagehash
import numpy as np
from PIL import Image

_SIDE = 96  # pixels, three times the side that is hashed


def perceptual_hash(image: Image.Image) -> str:
    """64 binary digits."""
    factor = max(1, min(image.size) // _SIDE)  # averaged first: imagehash's own filter is slow on a large image
    bits = np.asarray(imagehash.phash(image.reduce(factor)).hash).ravel()
    return "".join("1" if bit else "0" for bit in bits)
