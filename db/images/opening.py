"""Turns the bytes of an image file into an upright image, or raises an error with the reason.

Only formats that web browsers show are opened, and only the first frame of an animation. The declared size is checked
before decoding. This code runs in decoder processes, because Pillow's decoders are C code that parses untrusted files.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from db.images.errors import ImageRejected, ImageUnreadable
from db.images.formats import FORMATS

AtLeast = Callable[[int, int], tuple[int, int]]
_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True, slots=True)
class OpenedImage:
    image: Image.Image  # upright; possibly a smaller version of a large JPEG
    width: int  # pixels of the upright image in the file
    height: int


def open_image(
    data: bytes, max_pixels: int, at_least: AtLeast | None = None, *, keep_alpha: bool = False
) -> OpenedImage:
    """Decode an image to RGB and put transparent parts on white. With `keep_alpha`, a transparent image becomes RGBA.

    `at_least` maps an image's width and height to the smallest size that decoding may return. Raises ImageRejected with
    a reason that a shop can act on.
    """
    if not data:
        raise ImageRejected("the image is empty: 0 bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=tuple(FORMATS)) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageRejected(f"{width} x {height} pixels; at most {max_pixels} in total are allowed")
                if at_least is not None:
                    image.draft(None, at_least(width, height))  # has an effect on JPEG only
                image.load()
                if image.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE:
                    width, height = height, width
                upright = ImageOps.exif_transpose(image)
                if keep_alpha and upright.has_transparency_data:
                    return OpenedImage(upright.convert("RGBA"), width, height)
                return OpenedImage(_rgb(upright), width, height)
    except ImageRejected:
        raise
    except UnidentifiedImageError:
        raise ImageRejected(f"not an image in one of the formats {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageRejected(f"too many pixels: {error}") from error
    except MemoryError:
        raise ImageUnreadable("out of memory while decoding") from None
    except Exception as error:  # Pillow decoders raise many exception types: OSError, SyntaxError, struct.error ...
        raise ImageRejected(f"a damaged image: {error or type(error).__name__}") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16") or image.mode == "I":  # scale 16-bit grey to keep its tones
        import numpy as np  # imported here: the import takes 0.1 s, and a thumbnail rarely needs it

        grey = np.asarray(image, dtype=np.float64)
        return Image.fromarray((grey / 257).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
