"""Reads the region that a query image names.

The payload of a request may begin with a line `windowshop-region LEFT TOP WIDTH HEIGHT`, which
db/functions/queries/image_payload.sql writes. The numbers are shares of the width and height of the upright image. No
image file begins with this line.
"""

import math

from db.images.messages import Box

_NAME = b"windowshop-region "
_MOST = 200  # bytes of the longest line


def split(payload: bytes) -> tuple[bytes, Box | None]:
    """Return the image file and its region. Without a valid line, the payload is the file, and the region is None."""
    if not payload.startswith(_NAME):
        return payload, None
    line = payload[:_MOST].partition(b"\n")[0]
    try:
        left, top, width, height = (float(number) for number in line[len(_NAME) :].split())
    except ValueError:
        return payload, None
    box = (left, top, width, height)
    inside = min(left, top) >= 0 and min(width, height) > 0 and max(left + width, top + height) <= 1 + 1e-9
    if not inside or not all(math.isfinite(number) for number in box):
        return payload, None
    return payload[len(line) + 1 :], box
