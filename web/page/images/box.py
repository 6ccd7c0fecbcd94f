"""Reads and writes the parameter `box` of an address, which names a part of the visitor's image."""

from db.images.messages import Box

LEAST = 0.02  # the smallest width and height of a part, as a share of the image
_DIGITS = 3  # after the decimal point; finer than a pixel of the image on the page


def read(written: str) -> Box | None:
    """Returns left, top, width and height as shares of the image, or None for the whole image. Raises ValueError for a
    text that names no part of an image."""
    numbers = [round(float(each), _DIGITS) for each in written.split(",")] if written else [0.0, 0.0, 1.0, 1.0]
    left, top, width, height = numbers
    inside = left >= 0 and top >= 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9
    if not (inside and min(width, height) >= LEAST):  # NaN fails these comparisons too
        raise ValueError(written)
    return None if min(width, height) == 1 else (left, top, width, height)


def write(box: Box | None) -> str:
    return ",".join(f"{each:g}" for each in box) if box else ""
