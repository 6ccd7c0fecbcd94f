"""What a decoder process does: from files to the bytes a model takes, in memory it shares with the encoder.

Imports little: one of these is started for each core, and anew when a picture ended it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from db.images.errors import ImageRejected, ImageUnreadable
from db.images.opening import open_picture, read_file
from db.images.pixels import InputShape

_memory: Any = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file below a folder, or the bytes of one that was fetched."""

    folder: str
    uri: str
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    max_file_bytes: int
    max_pixels: int
    seconds: float  # a task may take before it is ended


@dataclass(frozen=True, slots=True)
class DecodedImage:
    sha256: bytes
    width: int  # of the file's picture
    height: int
    phash: str
    rows: int  # of its pixels
    columns: int


@dataclass(frozen=True, slots=True)
class DecodeError:
    reason: str
    final: bool  # false: it may pass


def share(memory: Any) -> None:
    """At start: where pixels go."""
    global _memory
    _memory = memory


def open_all(sources: list[Source], shape: InputShape, offset: int, limits: Limits) -> list[DecodedImage | DecodeError]:
    """In a decoder process: one picture's pixels after the other into shared memory, from `offset` on."""
    return [_open(one, shape, offset + n * shape.bytes, limits) for n, one in enumerate(sources)]


def _open(source: Source, shape: InputShape, offset: int, limits: Limits) -> DecodedImage | DecodeError:
    try:
        data = source.data if source.data is not None else read_file(source.folder, source.uri, limits.max_file_bytes)
        picture = open_picture(data, limits.max_pixels, shape.at_least)
        pixels = shape.pixels(picture.image)
    except ImageRejected as error:
        return DecodeError(error.message, error.final)
    except MemoryError:
        return DecodeError("out of memory while decoding", final=ImageUnreadable.final)
    np.frombuffer(_memory, np.uint8, pixels.size, offset)[:] = pixels.reshape(-1)
    return DecodedImage(picture.sha256, picture.width, picture.height, picture.phash, pixels.shape[0], pixels.shape[1])
