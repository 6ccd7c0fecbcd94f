"""The first bytes of an image decide its format, whatever the name of the file is."""

from io import BytesIO

import pytest
from PIL import Image

from db.images.errors import ImageRejected
from db.images.formats import FORMATS, SUFFIXES, ImageFormat, image_format, media_type

HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
# Some encoders name AVIF only among the compatible brands of the ftyp box.
AVIF_HEAD = b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"


@pytest.mark.parametrize("kind", [each for each in FORMATS if each.name != "HEIC"], ids=lambda kind: kind.name)
def test_every_format_except_heic_is_recognised_by_its_first_bytes(kind: ImageFormat) -> None:
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind.plugin)
    assert image_format(buffer.getvalue()) == kind
    assert media_type(buffer.getvalue()) == kind.media_type


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEIC_HEAD, "image/heic"),
        (AVIF_HEAD, "image/avif"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"MM\0+\0\x08\0\0", "image/tiff"),
        (b"II+\0\x08\0\0\0", "image/tiff"),
    ],
)
def test_variants_of_a_format_are_recognised(head: bytes, expected: str) -> None:
    assert media_type(head) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg/>",
        b"%PDF-1.7",
        b"II",
        b"RIFF1234WAVE",
        b"%!PS",
        b"BMW 320i, 1998",
        b"\0\0\0\x18ftypmp42\0\0\0\0isommp42",
        b"\0\0\0\x10ftypqt  \0\0\0\0",
        b"\0\0\0\0ftyp",
    ],
)
def test_a_file_in_another_format_is_refused_with_the_names_of_the_supported_formats(content: bytes) -> None:
    with pytest.raises(ImageRejected, match=r"JPEG, PNG, WebP, GIF, AVIF, BMP, TIFF, HEIC"):
        media_type(content)


def test_the_file_suffixes_of_every_format_are_known() -> None:
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff", ".heic"} <= SUFFIXES
