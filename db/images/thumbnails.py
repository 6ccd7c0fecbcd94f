"""Thumbnails of product images and uploaded query images, for the search page."""

import warnings
from io import BytesIO

from PIL import Image, ImageOps

from db.images.files import NotServed

SIZES = (64, 128, 256, 512, 1024)  # few, so that few are kept
MAX_PIXELS = 50_000_000
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")


def thumbnail(picture: bytes, size: int) -> bytes:
    """A WebP that fits a square of the next larger of SIZES, upright. Raises NotServed for what is no picture."""
    edge = next(one for one in SIZES if one >= size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(picture), formats=_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise NotServed("too many pixels")
            image.draft("RGB", (edge, edge))  # a JPEG is decoded at a fraction of its size
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((edge, edge))
            made = BytesIO()
            upright.convert("RGBA" if upright.has_transparency_data else "RGB").save(made, "WEBP", quality=80)
    except NotServed:
        raise
    except Exception as error:  # decoders raise whatever comes to their minds
        raise NotServed("cannot be decoded") from error
    return made.getvalue()
