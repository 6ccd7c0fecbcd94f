"""Reads the size of a WebP from its first bytes. Pillow tells the size only after it has reserved memory for two copies
of the image, so too large an image must be refused before Pillow opens it."""

_HEADER = 30  # bytes


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height, or None if the file does not begin like a WebP."""
    if len(data) < _HEADER or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":  # width and height less one, each in three bytes
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L" and data[20] == 0x2F:  # without loss: width and height less one, each in 14 bits
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":  # width and height in the lower 14 bits of two bytes
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None
