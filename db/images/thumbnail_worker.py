"""Runs in a decoder process: from the bytes of an image file to the bytes of a thumbnail.

Functions import Pillow themselves: the web service imports this module to name them, and never opens an image.
"""

from io import BytesIO

from db.images.errors import ImageRejected
from db.images.messages import DecodeError, DecodeLimits


def warm_up() -> None:
    """Called once when the process starts, so that no request waits for these imports."""

    import db.images.opening  # noqa: F401


def thumbnail(data: bytes, edge: int, limits: DecodeLimits) -> bytes | DecodeError:
    """A WebP that fits a square of `edge` pixels, upright; never larger than the image itself."""
    from db.images.opening import open_image

    try:
        image = open_image(data, limits.max_pixels, lambda *_: (edge, edge), keep_alpha=True).image
        image.thumbnail((edge, edge))
        buffer = BytesIO()
        image.save(buffer, "WEBP", quality=80)
    except ImageRejected as error:
        return DecodeError(error.message, error.final)
    except (OSError, ValueError, MemoryError) as error:  # of the resampling or the WebP encoder
        return DecodeError(f"no thumbnail: {error or type(error).__name__}", final=False)
    return buffer.getvalue()
