"""Turns the bytes of an image file into an upright image, or raises an error with the reason.

An animation is opened at the first frame that shows something, if one of the first _MOST_FRAMES does. The declared size
is checked before decoding. This code runs in decoder processes, because Pillow's decoders are C code that parses
untrusted files.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import cast

from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from db.images.errors import ImageRejected, ImageUnreadable
from db.images.formats import ImageFormat, image_format
from db.images.large_png import reduced_png
from db.images.messages import Box
from db.images.tones import eight_bit
from db.images.webp_size import webp_size

AtLeast = Callable[[int, int], tuple[int, int]]
_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_FROM_RIGHT = (2, 3, 7, 8)  # EXIF orientations whose files have the columns from right to left
_FROM_BELOW = (3, 4, 6, 7)  # EXIF orientations whose files have the rows from bottom to top
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")  # plugins whose frames are an animation; a TIFF has pages instead
_EIGHT_BIT = ("L", "LA", "P", "RGB", "RGBA")  # modes of 8 bits a channel that `eight_bit` leaves as they are
_STRIP_PIXELS = 1_000_000  # the approximate number of pixels that are converted at a time
_MOST_FRAMES = 20  # at most this many frames are decoded to find a frame that shows something
_SHOWN = 8  # a frame shows something if the tones of a colour channel (0 to 255) differ by more than this


@dataclass(frozen=True, slots=True)
class OpenedImage:
    image: Image.Image  # upright, or a region of the upright image; possibly smaller than in the file
    width: int  # width of the upright image in the file, in pixels
    height: int


def open_image(
    data: bytes,
    max_pixels: int,
    at_least: AtLeast | None = None,
    *,
    max_webp_pixels: int | None = None,
    reduce: bool = False,
    keep_alpha: bool = False,
    box: Box | None = None,
) -> OpenedImage:
    """Decode an image to RGB and put transparent parts on white. With `keep_alpha`, a transparent image becomes RGBA.

    `at_least` maps an image's width and height to the smallest size that decoding may return. A JPEG and a large PNG
    are scaled while they are read. With `reduce`, most other images are scaled before they are copied. With `box`, only
    this region of the image is copied; the result has at least one pixel. Raises ImageRejected with a reason that a
    shop can act on, and ImageUnreadable if memory runs out or a WebP has more than `max_webp_pixels`.
    """
    if not data:
        raise ImageRejected("the image is empty: 0 bytes")
    kind = image_format(data)
    _prepare(kind)
    if kind.plugin == "WEBP" and max_webp_pixels is not None:
        _check_webp(data, max_webp_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=(kind.plugin,)) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageRejected(f"{width} x {height} pixels; at most {max_pixels} in total are allowed")
                least = None if at_least is None else at_least(width, height)
                opened = reduced_png(image, data, least) if kind.plugin == "PNG" and least else None
                if opened is None:
                    opened = _decoded(image, kind, least, reduce=reduce)
                orientation = opened.getexif().get(ExifTags.Base.Orientation)
                if orientation in _ON_ITS_SIDE:
                    width, height = height, width
                if box is not None:
                    opened = _cropped(opened, box, orientation)
                upright = eight_bit(ImageOps.exif_transpose(opened))
                if keep_alpha and upright.has_transparency_data:
                    return OpenedImage(upright.convert("RGBA"), width, height)
                return OpenedImage(_on_white(upright), width, height)
    except ImageRejected:
        raise
    except UnidentifiedImageError:
        raise ImageRejected(f"a damaged image: not a {kind.name} file, although it begins like one") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageRejected(f"too many pixels: {error}") from error
    except MemoryError:
        raise ImageUnreadable("out of memory while decoding") from None
    except Exception as error:  # Pillow decoders raise many types, such as OSError, SyntaxError and struct.error
        raise ImageRejected(f"a damaged image: {error or type(error).__name__}") from error


def _check_webp(data: bytes, max_pixels: int) -> None:
    width, height = webp_size(data) or (0, 0)
    if width * height > max_pixels:
        raise ImageUnreadable(f"{width} x {height} pixels; a WebP may have at most {max_pixels} here")


def _decoded(
    image: ImageFile.ImageFile, kind: ImageFormat, least: tuple[int, int] | None, *, reduce: bool
) -> Image.Image:
    if least is not None:
        image.draft(None, least)  # has an effect on JPEG only
    image.load()
    if kind.plugin in _ANIMATED:
        _seek_frame(image)
    return _reduced(image, least) if reduce and least is not None else image


def _reduced(image: Image.Image, least: tuple[int, int]) -> Image.Image:
    """Returns the image scaled by a whole factor to at least twice the size `least`. Returns the image as it is if the
    factor would be 1, or if the mode of the image is not in _EIGHT_BIT.

    The image is converted and scaled in strips. A whole copy would take as much memory as the image itself.
    """
    width, height = image.size
    factor = min(width // least[0], height // least[1]) // 2
    if factor < 2 or image.mode not in _EIGHT_BIT:
        return image
    smaller = Image.new("RGBA" if image.has_transparency_data else "RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, _STRIP_PIXELS // (width * factor))
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        smaller.paste(strip.convert(smaller.mode).reduce(factor), (0, top // factor))
    if orientation := image.getexif().get(ExifTags.Base.Orientation):
        smaller.getexif()[ExifTags.Base.Orientation] = orientation
    return smaller


def _cropped(image: Image.Image, box: Box, orientation: int | None) -> Image.Image:
    """Returns a region of an image that is not upright yet. Turning the whole image would need a second copy of it."""
    if image.mode in ("I", "F"):  # what is white depends on the brightest tone of the whole image
        image = eight_bit(image)
    across, down = (box[0], box[0] + box[2]), (box[1], box[1] + box[3])
    if orientation in _ON_ITS_SIDE:
        across, down = down, across
    if orientation in _FROM_RIGHT:
        across = 1 - across[1], 1 - across[0]
    if orientation in _FROM_BELOW:
        down = 1 - down[1], 1 - down[0]
    (left, right), (top, bottom) = _pixels(*across, image.width), _pixels(*down, image.height)
    region = image.crop((left, top, right, bottom))
    if orientation is not None:
        region.getexif()[ExifTags.Base.Orientation] = orientation
    return region


def check_region(box: Box, opened: OpenedImage) -> None:
    """Raises ImageRejected if the region is too small to have a pixel of the image."""
    left, top, width, height = box
    columns, rows = opened.width, opened.height
    if round(left * columns) >= round((left + width) * columns) or round(top * rows) >= round((top + height) * rows):
        raise ImageRejected(f"the box has no pixel of the image, which has {columns} x {rows} pixels")


def _pixels(begin: float, end: float, size: int) -> tuple[int, int]:
    first = min(round(begin * size), size - 1)
    return first, max(first + 1, round(end * size))


def _prepare(kind: ImageFormat) -> None:
    """For a HEIC image, register Pillow's plugin. Raises ImageRejected if the plugin is not installed."""
    if kind.plugin != "HEIF":
        return
    try:
        from pillow_heif import register_heif_opener  # imported here: few images need this package
    except ImportError:
        raise ImageRejected("HEIC images need a further package: pip install 'windowshop[heic]'") from None
    register_heif_opener()


def _seek_frame(image: Image.Image) -> None:
    """Go to the first frame that shows something, if the image is an animation that begins with an empty frame."""
    if not getattr(image, "is_animated", False) or _shows_something(image):
        return
    for number in range(1, _MOST_FRAMES):
        try:
            image.seek(number)
            image.load()
        except Exception:  # the animation has ended, or this frame is damaged
            break
        if _shows_something(image):
            return
    image.seek(0)
    image.load()


def _shows_something(image: Image.Image) -> bool:
    channels = _on_white(eight_bit(image)).split()
    # The lowest and the highest tone of a channel. Pillow declares another type for images of several channels.
    tones = cast("list[tuple[float, float]]", [channel.getextrema() for channel in channels])
    return any(high - low > _SHOWN for low, high in tones)


def _on_white(image: Image.Image) -> Image.Image:
    """Returns an image of 8 bits a channel as RGB, with transparent parts on white."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
