"""Runs in a decoder process: turns the bytes of an image file into the bytes of a thumbnail or of a region.

The functions import Pillow themselves. The web service imports this module to send calls to a decoder process, and
should not load Pillow.
"""

import os
from io import BytesIO
from math import ceil

from db.images.errors import ImageRejected
from db.images.messages import Box, DecodeError, DecodeLimits
from db.images.worker_pool import limit_memory


def warm_up(memory_bytes: int, niceness: int) -> None:
    """Import Pillow, lower the priority of the process by `niceness`, and limit its memory. A new process of the pool
    calls this first, so that the time limit of a thumbnail does not include the import."""

    import db.images.opening  # noqa: F401

    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy, which some images need, would allocate memory for each core
    os.nice(niceness)
    limit_memory(memory_bytes)


def region(data: bytes, box: Box, edge: int, limits: DecodeLimits) -> bytes | DecodeError:
    """Return a region of the upright image as a WebP that fits a square of `edge` pixels.

    `box` is left, top, width and height, as shares of the upright image's width and height."""
    from db.images.opening import check_region, open_image

    width, height = box[2:]

    def at_least(columns: int, rows: int) -> tuple[int, int]:
        """Return a size at which the region's longer side has `edge` pixels or more, even if the image is rotated.

        A region that has fewer pixels keeps them all.
        """
        scale = min(1, edge / max(1, max(width, height) * min(columns, rows)))
        return max(1, ceil(scale * columns)), max(1, ceil(scale * rows))

    try:
        opened = open_image(
            data, limits.max_pixels, at_least, max_webp_pixels=limits.max_webp_pixels, reduce=True, box=box
        )
        check_region(box, opened)
        image = opened.image
        image.thumbnail((edge, edge))
        buffer = BytesIO()
        image.save(buffer, "WEBP", quality=90)
    except ImageRejected as error:
        return DecodeError(error.message, error.final)
    except (OSError, ValueError, MemoryError) as error:  # from the resampling or the WebP encoder
        return DecodeError(f"no region: {error or type(error).__name__}", final=False)
    return buffer.getvalue()


def thumbnail(data: bytes, edge: int, limits: DecodeLimits) -> bytes | DecodeError:
    """Return an upright WebP that fits a square of `edge` pixels and is never larger than the image itself."""
    from db.images.opening import open_image

    try:
        image = open_image(
            data,
            limits.max_pixels,
            lambda *_: (edge, edge),
            max_webp_pixels=limits.max_webp_pixels,
            reduce=True,
            keep_alpha=True,
        ).image
        image.thumbnail((edge, edge))
        buffer = BytesIO()
        image.save(buffer, "WEBP", quality=80)
    except ImageRejected as error:
        return DecodeError(error.message, error.final)
    except (OSError, ValueError, MemoryError) as error:  # from the resampling or the WebP encoder
        return DecodeError(f"no thumbnail: {error or type(error).__name__}", final=False)
    return buffer.getvalue()
