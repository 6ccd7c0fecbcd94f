"""The messages between a process and its decoder processes. Imports no Pillow: the sender never opens an image."""

from dataclasses import dataclass

MAX_FILE_BYTES = 50_000_000
MAX_PIXELS = 50_000_000  # 200 MB as RGBA in memory


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    seconds: float  # that one task may take before its process is killed
    max_file_bytes: int = MAX_FILE_BYTES
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True, slots=True)
class ImageSource:
    """A file below a folder, or the bytes of an image that was fetched or sent."""

    folder: str
    uri: str
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class DecodedImage:
    sha256: bytes  # of the file
    width: int  # pixels of the file, upright
    height: int
    phash: str  # perceptual hash, 64 binary digits
    rows: int  # of the pixels in shared memory
    columns: int


@dataclass(frozen=True, slots=True)
class DecodeError:
    reason: str
    final: bool  # false: another try may succeed
