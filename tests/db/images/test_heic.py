"""HEIC images are opened with the same limits as images of other formats. The tests need the package pillow-heif."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from db.images.errors import ImageRejected
from db.images.opening import open_image

pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra: pip install 'windowshop[heic]'")
MAX_PIXELS = 1_000_000


def heic(*images: Image.Image, **options: Any) -> bytes:
    file = pillow_heif.from_pillow(images[0])
    for other in images[1:]:
        file.add_from_pillow(other)
    buffer = BytesIO()
    file.save(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGB", (64, 48), "red"), (255, 0, 0)),
        (Image.new("L", (64, 48), 128), (128, 128, 128)),
        (Image.new("RGBA", (64, 48), (255, 0, 0, 0)), (255, 255, 255)),  # transparent pixels become white
        (Image.fromarray(np.full((48, 64), 40_000, np.uint16)), (156, 156, 156)),  # 16 bits a channel
    ],
    ids=["rgb", "gray", "transparent", "16 bits"],
)
def test_a_heic_image_of_each_mode_is_opened(image: Image.Image, expected: tuple[int, int, int]) -> None:
    opened = open_image(heic(image, quality=95), MAX_PIXELS)
    assert (opened.image.mode, opened.image.size, opened.width, opened.height) == ("RGB", (64, 48), 64, 48)
    assert np.abs(np.subtract(opened.image.getpixel((30, 20)), expected)).max() <= 3


def test_transparency_is_kept_with_keep_alpha() -> None:
    opened = open_image(heic(Image.new("RGBA", (64, 48), (255, 0, 0, 0))), MAX_PIXELS, keep_alpha=True)
    assert opened.image.mode == "RGBA"
    assert opened.image.getpixel((30, 20))[3] == 0


def test_a_rotated_image_is_upright() -> None:
    image = Image.new("RGB", (64, 48), "red")
    image.paste((0, 0, 255), (0, 0, 32, 48))  # the left half, which is the upper half of the upright image
    exif = Image.Exif()
    exif[0x0112] = 6
    opened = open_image(heic(image, exif=exif.tobytes(), quality=95), MAX_PIXELS)
    assert (opened.image.size, opened.width, opened.height) == ((48, 64), 48, 64)
    assert opened.image.getpixel((24, 8))[2] > 200
    assert opened.image.getpixel((24, 56))[0] > 200


def test_the_first_of_several_images_is_opened() -> None:
    opened = open_image(heic(Image.new("RGB", (64, 48), "red"), Image.new("RGB", (32, 32), "blue")), MAX_PIXELS)
    assert opened.image.size == (64, 48)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageRejected, match="2000 x 1000 pixels; at most 1000000 in total are allowed"):
        open_image(heic(Image.new("RGB", (2000, 1000), "red")), MAX_PIXELS)


def with_declared_size(data: bytes, width: int, height: int) -> bytes:
    place = data.index(b"ispe") + 8
    return data[:place] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[place + 8 :]


@pytest.mark.parametrize("size", [(40_000, 40_000), (64, 48)])
def test_an_image_that_declares_a_wrong_size_is_refused_or_has_the_declared_size(size: tuple[int, int]) -> None:
    data = with_declared_size(heic(Image.new("RGB", (900, 900), "red")), *size)
    try:
        opened = open_image(data, MAX_PIXELS)
    except ImageRejected:
        return
    assert opened.image.size == size


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_a_truncated_image_is_refused(share: float) -> None:
    data = heic(Image.fromarray(np.random.default_rng(7).integers(0, 255, (64, 64, 3), dtype=np.uint8)))
    with pytest.raises(ImageRejected, match="a damaged image"):
        open_image(data[: int(len(data) * share)], MAX_PIXELS)
