"""Defines the messages between a process and its decoder processes.

The module does not import Pillow, because the sender opens no image.
"""

from dataclasses import dataclass

# The left, top, width and height of a region, as shares of the upright image's width and height.
Box = tuple[float, float, float, float]

MAX_FILE_BYTES = 50_000_000
MAX_PIXELS = 50_000_000  # width times height; as RGBA, these pixels take 200 MB of memory


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    seconds: float  # the time limit of a task, after which its process is killed
    max_file_bytes: int = MAX_FILE_BYTES
    max_pixels: int = MAX_PIXELS
    max_webp_pixels: int = MAX_PIXELS  # Pillow decodes a WebP as a whole, in four copies of 4 bytes per pixel


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image to decode: a file below a folder, or bytes (`data`) that were fetched or sent."""

    folder: str
    uri: str
    data: bytes | None = None
    box: Box | None = None  # decode only this region


@dataclass(frozen=True, slots=True)
class DecodedImage:
    sha256: bytes  # hash of the file
    width: int  # width of the upright image in the file, in pixels
    height: int
    phash: str  # perceptual hash, 64 binary digits
    rows: int  # height of the pixels in shared memory
    columns: int  # width of the pixels in shared memory


@dataclass(frozen=True, slots=True)
class DecodeError:
    reason: str
    final: bool  # False: another attempt may succeed
