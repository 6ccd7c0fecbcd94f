"""A query image may name a region of the upright image. The model then gets only this region. A small region of a large
photo keeps its details."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from db.images import decode_worker, regions
from db.images.messages import Box, DecodedImage, DecodeError, DecodeLimits, ImageSource
from db.images.pixels import InputShape

SHAPES = [
    InputShape(8, 8, "crop", edge=8),
    InputShape(8, 8, "stretch"),
    InputShape(8, 8, "pad"),
    InputShape(64, 64, "within"),
]
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))  # the colours of QUARTERS in the upright image
QUARTERS: list[Box] = [(0, 0, 0.5, 0.5), (0.5, 0, 0.5, 0.5), (0, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5)]


def quarters(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height))
    for colour, (left, top, _, _) in zip(COLOURS, QUARTERS, strict=True):
        image.paste(
            colour,
            (int(left * width), int(top * height), int(left * width) + width // 2, int(top * height) + height // 2),
        )
    return image


def stored(image: Image.Image, orientation: int) -> bytes:
    """Returns a JPEG that a viewer shows as `image`, and whose pixels are stored in the given EXIF orientation."""
    turn = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[
        orientation
    ]
    turned = image if turn is None else image.transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = BytesIO()
    turned.save(buffer, "JPEG", quality=100, subsampling=0, exif=exif)
    return buffer.getvalue()


def decoded(data: bytes, box: Box | None, shape: InputShape, monkeypatch: pytest.MonkeyPatch) -> Any:
    memory = bytearray(shape.bytes)
    monkeypatch.setattr(decode_worker, "_memory", memory)
    [result] = decode_worker.decode_all([ImageSource("", "", data, box)], shape, 0, DecodeLimits(10))
    if isinstance(result, DecodeError):
        return result
    assert isinstance(result, DecodedImage)
    size = result.rows * result.columns * 3
    return np.frombuffer(bytes(memory[:size]), np.uint8).reshape(result.rows, result.columns, 3)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.fit)
def test_a_region_is_a_part_of_the_upright_image(
    orientation: int, shape: InputShape, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stored(quarters(400, 200), orientation)
    for colour, box in zip(COLOURS, QUARTERS, strict=True):
        inner = (box[0] + 0.1, box[1] + 0.1, 0.2, 0.2)
        pixels = decoded(data, inner, shape, monkeypatch).astype(int)
        middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
        assert np.abs(middle - colour).max() < 10, (orientation, box)


def test_a_small_region_of_a_large_photo_keeps_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    stripes = np.zeros((2000, 2000, 3), np.uint8)
    stripes[:, ::64] = 255
    stripes[:, 1::64] = 255
    image = Image.fromarray(stripes)
    shape = InputShape(200, 200, "stretch")
    pixels = decoded(stored(image, 1), (0.25, 0.25, 0.1, 0.1), shape, monkeypatch)
    assert pixels.max() > 200  # if the decoder scaled the whole photo to 200 pixels first, the stripes would be grey


def test_a_region_without_a_pixel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    result = decoded(stored(quarters(40, 20), 1), (0.5, 0.5, 0.001, 0.5), SHAPES[0], monkeypatch)
    assert result == DecodeError("the box has no pixel of the image, which has 40 x 20 pixels", final=True)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"windowshop-region 0.25 0 0.5 1\nJPEG", (b"JPEG", (0.25, 0, 0.5, 1))),
        (
            b"windowshop-region 1e-05 0 0.5 1\nwindowshop-region 0 0 1 1\n",
            (b"windowshop-region 0 0 1 1\n", (1e-05, 0, 0.5, 1)),
        ),
        (b"JPEG", (b"JPEG", None)),
        (b"", (b"", None)),
    ],
)
def test_the_first_line_names_the_region(payload: bytes, expected: tuple[bytes, Box | None]) -> None:
    assert regions.split(payload) == expected


@pytest.mark.parametrize(
    "line",
    ["", "1 2 3", "a b c d", "0 0 0 1", "0.5 0 0.6 1", "-0.1 0 1 1", "nan 0 1 1", "0 0 inf 1", "0 0 1 1 1", "9" * 300],
)
def test_a_malformed_region_line_is_part_of_the_file(line: str) -> None:
    payload = f"windowshop-region {line}\nJPEG".encode()
    assert regions.split(payload) == (payload, None)
