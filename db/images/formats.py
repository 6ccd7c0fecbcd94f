"""Lists the image formats that Windowshop opens and serves. Web browsers show all of them."""

from db.images.errors import ImageRejected

# Maps Pillow's name of each format to its media type.
FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}

# Maps a media type to places in the file and the bytes at each place.
_SIGNATURES: dict[str, tuple[tuple[int, tuple[bytes, ...]], ...]] = {
    "image/jpeg": ((0, (b"\xff\xd8\xff",)),),
    "image/png": ((0, (b"\x89PNG\r\n\x1a\n",)),),
    "image/webp": ((0, (b"RIFF",)), (8, (b"WEBP",))),
    "image/gif": ((0, (b"GIF87a", b"GIF89a")),),
    "image/bmp": ((0, (b"BM",)), (6, (bytes(4),))),  # four reserved zero bytes; a text that begins with BM has none
    "image/avif": ((4, (b"ftypavif", b"ftypavis")),),
}


def media_type(data: bytes) -> str:
    """Return the media type of an image by its first bytes, because a file's name proves nothing.

    Raises ImageRejected if the bytes begin no known format.
    """
    for kind, signature in _SIGNATURES.items():
        if all(data.startswith(choices, place) for place, choices in signature):
            return kind
    raise ImageRejected(f"not an image in one of the formats {', '.join(FORMATS)}")
