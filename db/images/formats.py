"""Lists the image formats that Windowshop opens: for the catalog, for uploads and for the API.

The first bytes of a file decide its format, because the file's name proves nothing.
"""

from dataclasses import dataclass

from db.images.errors import ImageRejected


@dataclass(frozen=True, slots=True)
class ImageFormat:
    name: str  # the usual name of the format, for messages and pages
    plugin: str  # the name of Pillow's plugin
    media_type: str
    suffixes: tuple[str, ...]  # the ends of the names of such files, in lower case


FORMATS = (
    ImageFormat("JPEG", "JPEG", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif")),
    ImageFormat("PNG", "PNG", "image/png", (".png", ".apng")),
    ImageFormat("WebP", "WEBP", "image/webp", (".webp",)),
    ImageFormat("GIF", "GIF", "image/gif", (".gif",)),
    ImageFormat("AVIF", "AVIF", "image/avif", (".avif",)),
    ImageFormat("BMP", "BMP", "image/bmp", (".bmp",)),
    ImageFormat("TIFF", "TIFF", "image/tiff", (".tif", ".tiff")),
    ImageFormat("HEIC", "HEIF", "image/heic", (".heic", ".heif")),  # needs the package pillow-heif
)
NAMES = ", ".join(each.name for each in FORMATS)
MEDIA_TYPES = tuple(each.media_type for each in FORMATS)
SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes)

_OF = {each.name: each for each in FORMATS}
_PREFIXES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
}
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_MOST_BRANDS = 32  # at most this many brands of an ISO media file are read


def image_format(data: bytes) -> ImageFormat:
    """Return the format of an image by its first bytes. Raises ImageRejected for an unknown format."""
    for prefix, name in _PREFIXES.items():
        if data.startswith(prefix):
            return _OF[name]
    if data.startswith(b"RIFF") and data.startswith(b"WEBP", 8):
        return _OF["WebP"]
    # A BMP has four reserved zero bytes. A text that begins with BM has no zero bytes.
    if data.startswith(b"BM") and data.startswith(bytes(4), 6):
        return _OF["BMP"]
    if data.startswith(b"ftyp", 4):
        brands = _brands(data)
        if b"avif" in brands or b"avis" in brands:
            return _OF["AVIF"]
        if brands and brands[0] in _HEIC_BRANDS:
            return _OF["HEIC"]
    raise ImageRejected(f"not an image in one of the formats {NAMES}")


def media_type(data: bytes) -> str:
    """Return the media type of an image by its first bytes. Raises the errors of `image_format`."""
    return image_format(data).media_type


def _brands(data: bytes) -> list[bytes]:
    """Return the brands of an ISO media file, the main brand first. The four bytes after it are a version."""
    end = min(int.from_bytes(data[:4], "big"), 16 + 4 * _MOST_BRANDS, len(data))
    return [data[8:12], *(data[place : place + 4] for place in range(16, end - 3, 4))]
