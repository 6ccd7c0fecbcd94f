"""Runs in a decoder process: decodes image files to a model's input pixels, in memory shared with the encoder.

The module imports little, because an encoder starts many processes: by default one for each core, up to 32, and a new
process for each process that crashed.
"""

import hashlib
import math
from typing import Any

import numpy as np

from db.images.errors import ImageRejected, ImageUnreadable
from db.images.files import read_file
from db.images.messages import Box, DecodedImage, DecodeError, DecodeLimits, ImageSource
from db.images.opening import AtLeast, check_region, open_image
from db.images.perceptual_hash import perceptual_hash
from db.images.pixels import InputShape
from db.images.worker_pool import limit_memory

_memory: Any = None


def share(memory: Any, memory_bytes: int | None) -> None:
    """Set the memory for pixels, and limit the memory of the process. Each process calls this once when it starts."""
    global _memory
    _memory = memory
    if memory_bytes is not None:
        limit_memory(memory_bytes)


def decode_all(
    sources: list[ImageSource], shape: InputShape, offset: int, limits: DecodeLimits
) -> list[DecodedImage | DecodeError]:
    """Decode images, and write their pixels to shared memory: one image after the other, from byte `offset` on."""
    return [_decode(source, shape, offset + n * shape.bytes, limits) for n, source in enumerate(sources)]


def _decode(source: ImageSource, shape: InputShape, offset: int, limits: DecodeLimits) -> DecodedImage | DecodeError:
    try:
        data = source.data if source.data is not None else read_file(source.folder, source.uri, limits.max_file_bytes)
        opened = open_image(data, limits.max_pixels, _at_least(shape, source.box), box=source.box)
        if source.box is not None:
            check_region(source.box, opened)
        phash = perceptual_hash(opened.image)
        pixels = shape.pixels(opened.image)
    except ImageRejected as error:
        return DecodeError(error.message, error.final)
    except MemoryError:
        return DecodeError("out of memory while decoding", final=ImageUnreadable.final)
    np.frombuffer(_memory, np.uint8, pixels.size, offset)[:] = pixels.reshape(-1)
    sha256 = hashlib.sha256(data).digest()
    return DecodedImage(sha256, opened.width, opened.height, phash, pixels.shape[0], pixels.shape[1])


def _at_least(shape: InputShape, box: Box | None) -> AtLeast:
    """Return a function that maps an image's size to the smallest size to which the image may be decoded.

    At this size, the region `box` has the pixels that the model needs, whether the image is rotated or not.
    """
    if box is None:
        return shape.at_least
    share = min(box[2:])

    def least(width: int, height: int) -> tuple[int, int]:
        columns, rows = max(1, math.floor(width * share)), max(1, math.floor(height * share))
        needed = shape.at_least(columns, rows)
        scale = min(1.0, max(needed) / min(columns, rows))
        return max(1, math.ceil(width * scale)), max(1, math.ceil(height * scale))

    return least
