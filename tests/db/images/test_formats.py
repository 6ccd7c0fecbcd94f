"""The first bytes of an image decide its format. The name of the file does not matter."""

from io import BytesIO

import pytest
from PIL import Image

from db.images.errors import ImageRejected
from db.images.formats import FORMATS, media_type


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_that_windowshop_opens_has_a_media_type(format_: str) -> None:
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format_)
    assert media_type(buffer.getvalue()) == FORMATS[format_]


@pytest.mark.parametrize(
    "content", [b"", b"<svg/>", b"%PDF-1.7", b"II*\0", b"RIFF1234WAVE", b"%!PS", b"BMW 320i, 1998", b"1234ftypmp42"]
)
def test_bytes_of_a_format_that_windowshop_does_not_open_are_rejected(content: bytes) -> None:
    with pytest.raises(ImageRejected):
        media_type(content)
