"""From bytes somebody sent to an upright RGB picture, or a reason why not.

Only formats a shop's web page shows are opened, only the first frame, and nothing is decoded before its declared size
is known to be within bounds.
"""

import hashlib
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import imagehash
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from db.images.errors import ImageRejected, ImageUnreadable

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
PHASH_SIDE = 96  # pixels, three times the side that is hashed
AtLeast = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Picture:
    image: Image.Image  # RGB, upright, alpha laid on white; a large JPEG smaller than it is
    sha256: bytes  # of the file
    width: int  # pixels of the file, upright
    height: int
    phash: str  # perceptual hash, 64 binary digits


def read_file(root: str, uri: str, max_bytes: int) -> bytes:
    """The bytes of a picture below `root`. Raises ImageRejected when the path leaves the root or is no plain file,
    ImageUnreadable when it cannot be read now."""
    base = Path(root)
    try:
        path = (base / uri).resolve(strict=True)
        if not path.is_relative_to(base.resolve()):
            raise ImageRejected(f"{uri}: the path leaves the image root")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageRejected(f"{uri}: not a plain file")
        if status.st_size > max_bytes:
            raise ImageRejected(f"{uri}: {status.st_size} bytes, at most {max_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise ImageUnreadable(f"{uri}: {error.strerror or type(error).__name__}") from error
    except ValueError as error:  # a NUL in the path
        raise ImageRejected(f"{uri!r}: not a path") from error


def open_picture(data: bytes, max_pixels: int, at_least: AtLeast | None = None) -> Picture:
    """Decode a picture. Raises ImageRejected with a reason a shop can act on."""
    image, width, height = _decode(data, max_pixels, at_least)
    factor = max(1, min(image.size) // PHASH_SIDE)  # averaged first: its own filter over a large picture is slow
    bits = np.asarray(imagehash.phash(image.reduce(factor)).hash).ravel()
    return Picture(
        image=image,
        sha256=hashlib.sha256(data).digest(),
        width=width,
        height=height,
        phash="".join("1" if bit else "0" for bit in bits),
    )


def open_image(data: bytes, max_pixels: int, at_least: AtLeast | None = None) -> Image.Image:
    """The picture alone: RGB, upright, alpha on white. Raises ImageRejected.

    `at_least` gives, of a picture's width and height, those it may be made smaller to while it is decoded.
    """
    return _decode(data, max_pixels, at_least)[0]


def _decode(data: bytes, max_pixels: int, at_least: AtLeast | None) -> tuple[Image.Image, int, int]:
    if not data:
        raise ImageRejected("the picture is empty: 0 bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageRejected(f"{width} x {height} pixels, at most {max_pixels} in all")
                if at_least is not None:
                    image.draft(None, at_least(width, height))  # only JPEG can
                image.load()
                on_its_side = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
                size = (height, width) if on_its_side else (width, height)
                return _rgb(ImageOps.exif_transpose(image)), *size
    except ImageRejected:
        raise
    except UnidentifiedImageError:
        raise ImageRejected(f"not a picture in one of the formats {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageRejected(f"too many pixels: {error}") from error
    except MemoryError:
        raise ImageUnreadable("out of memory while decoding") from None
    except Exception as error:  # Pillow's decoders raise anything: OSError, SyntaxError, struct.error, EOFError ...
        raise ImageRejected(f"a damaged picture: {error or type(error).__name__}") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16") or image.mode == "I":  # 16-bit grey: keep the tones, not the low byte
        grey = np.asarray(image, dtype=np.float64)
        return Image.fromarray((grey / 257).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
