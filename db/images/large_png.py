"""Scales a large PNG while it is read, because Pillow would first decode all of it, with up to 4 bytes a pixel.

Rows of the image are inflated, and Pillow decodes one strip of rows after the other. Each strip gets the last row of
the strip above it, because a row of a PNG may depend on the row above it. libvips reads strips too, but is not
used: when the memory of its process runs out, it returns wrong pixels without an error.
"""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

LARGE_PIXELS = 16_000_000  # a smaller image is decoded as a whole, in at most 64 MB
_STRIP_BYTES = 2_000_000
_HEADER = struct.Struct(">IIBBBBB")  # width, height, bits, colour type, compression, filter, interlace
# Pillow's mode for each colour type. Images with a palette are left out, because they take 1 byte for each pixel.
_MODES = {0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}


def reduced_png(image: Image.Image, data: bytes, least: tuple[int, int]) -> Image.Image | None:
    """Returns the PNG `data` scaled by a whole factor to at least twice the size `least`, with 8 bits a channel.

    `image` is the same PNG, opened and not loaded. Returns None for an image that Pillow has to decode as a whole. Such
    an image is, for example, small, interlaced or animated, or has a palette or fewer than 8 bits a channel. Raises
    OSError, ValueError or zlib.error for damaged pixels.
    """
    width, height, bits, colour, _, _, interlace = _HEADER.unpack_from(data, 16)
    factor = min(width // least[0], height // least[1]) // 2
    if width * height < LARGE_PIXELS or factor < 2 or bits < 8 or colour not in _MODES:
        return None
    key = image.info.get("transparency")  # the colour that is transparent
    if interlace or getattr(image, "is_animated", False) or (bits == 16 and key is not None):
        return None
    clear = key is not None or colour in (4, 6)
    reduced = Image.new("RGBa" if clear else _MODES[colour], (-(-width // factor), -(-height // factor)))
    for top, strip in _strips(data, (width, height), _MODES[colour], bits, factor):
        if clear:  # RGBa multiplies each colour by its opacity, so hidden colours do not mix with visible ones
            strip.info["transparency"] = key
            strip = strip.convert("RGBA").convert("RGBa")
        reduced.paste(strip.reduce(factor), (0, top // factor))
    reduced = reduced.convert("RGBA") if clear else reduced
    reduced.info = {name: value for name, value in image.info.items() if name != "transparency"}
    for kind, body in _chunks(data):
        if kind == b"eXIf":  # this chunk may follow the pixels, which Pillow has not read here
            reduced.info["exif"] = body
    return reduced


def _strips(data: bytes, size: tuple[int, int], mode: str, bits: int, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Yields the image in strips from top to bottom, each with the number of its first row. Every strip but the last
    has `factor` rows or a multiple of this number."""
    width, height = size
    row_bytes = 1 + width * len(mode) * bits // 8  # the first byte of a row is its filter
    rows = factor * max(1, _STRIP_BYTES // (row_bytes * factor))
    above, top = bytes(1 + width * len(mode)), 0
    for inflated in _inflated(data, rows * row_bytes):
        count = min(len(inflated) // row_bytes, height - top)
        filtered = inflated[: count * row_bytes]
        encoded = zlib.compress(above + (_first_bytes(filtered, row_bytes) if bits == 16 else filtered), 0)
        decoded = Image.frombytes(mode, (width, 1 + count), encoded, "zip", mode, 0)
        yield top, decoded.crop((0, 1, *decoded.size))
        above = b"\0" + decoded.crop((0, count, *decoded.size)).tobytes()
        top += count
        if top == height:
            return
    raise OSError("the image file is truncated")


def _first_bytes(filtered: bytes, row_bytes: int) -> bytes:
    """Returns rows of 16 bits with only the first byte of each sample. A filter never mixes first and second bytes."""
    rows = (filtered[start : start + row_bytes] for start in range(0, len(filtered), row_bytes))
    return b"".join(row[:1] + row[1::2] for row in rows)


def _inflated(data: bytes, size: int) -> Iterator[bytes]:
    """Yields the inflated pixels in blocks of `size` bytes. The last block may be shorter."""
    inflate, block = zlib.decompressobj(), b""
    for kind, body in _chunks(data):
        while kind == b"IDAT":
            block += inflate.decompress(body, size - len(block))
            body = inflate.unconsumed_tail
            if len(block) == size:
                yield block
                block = b""
            elif not body:
                break
    if block:
        yield block


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 8
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        yield kind, data[start + 8 : start + 8 + length]
        start += length + 12
