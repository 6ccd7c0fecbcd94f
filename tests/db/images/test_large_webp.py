"""A WebP takes several times the memory of a JPEG of the same size. A WebP of at most 16 million pixels is opened, and
a larger one is refused before it is decoded."""

from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from db.images.errors import ImageUnreadable
from db.images.thumbnail_pool import ThumbnailPool
from db.images.webp_size import webp_size
from web.images.uploads import LIMITS, MEMORY_BYTES

HALF = (0.0, 0.0, 1.0, 0.5)


def webp(width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    content = BytesIO()
    Image.new(mode, (width, height), "red").save(content, "WEBP", method=0, **options)
    return content.getvalue()


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_within_the_limit_fits_the_memory_of_uploads_and_a_larger_one_is_refused(lossless: bool) -> None:
    uploads = ThumbnailPool(1, replace(LIMITS, seconds=30), memory_bytes=MEMORY_BYTES)
    try:
        largest = webp(4000, 4000, lossless=lossless)
        assert Image.open(BytesIO(uploads.region(largest, HALF, 512))).size == (512, 256)
        assert Image.open(BytesIO(uploads.thumbnail(largest, 512))).size == (512, 512)
        larger = webp(5000, 5000, lossless=lossless)
        for call in (partial(uploads.region, larger, HALF, 512), partial(uploads.thumbnail, larger, 512)):
            with pytest.raises(ImageUnreadable, match="5000 x 5000 pixels; a WebP may have at most 16000000 here"):
                call()
    finally:
        uploads.close()


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_size_of_a_webp_is_read_from_its_first_bytes(mode: str, options: dict[str, Any]) -> None:
    assert webp_size(webp(301, 17, mode, **options)) == (301, 17)


@pytest.mark.parametrize(
    "data", [b"", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8?" + bytes(40), b"\x89PNG" + bytes(40)]
)
def test_truncated_images_and_other_bytes_have_no_size(data: bytes) -> None:
    assert webp_size(data) is None
