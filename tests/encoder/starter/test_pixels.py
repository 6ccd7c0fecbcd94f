"""Images of many modes and sizes become RGB images of 256 x 256 pixels."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from encoder.starter import pixels


def red_disc_on_nothing(mode: str = "RGBA") -> Image.Image:
    image = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((40, 40, 216, 216), fill=(200, 30, 40, 255))
    return image.convert(mode)


def test_transparent_pixels_become_white() -> None:
    shown = np.asarray(pixels.square(red_disc_on_nothing()))
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[128, 128].tolist() == [200, 30, 40]


@pytest.mark.parametrize("mode", ["P", "RGBa"])
def test_an_image_with_a_palette_or_premultiplied_alpha_looks_nearly_the_same_as_rgba(mode: str) -> None:
    # A palette has 256 colours and one bit of alpha, so the edges of the disc differ a little.
    plain = np.asarray(pixels.square(red_disc_on_nothing()), dtype=int)
    other = np.asarray(pixels.square(red_disc_on_nothing(mode)), dtype=int)
    assert np.abs(plain - other).mean() < 1.5


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV"])
def test_an_image_in_another_colour_space_looks_nearly_the_same_as_rgb(mode: str) -> None:
    opaque = pixels.on_white(red_disc_on_nothing())
    converted = opaque.convert(mode) if mode != "LAB" else Image.new("LAB", opaque.size, (255, 128, 128))
    if mode == "LAB":
        opaque = Image.new("RGB", opaque.size, "white")
    assert np.abs(np.asarray(pixels.square(converted), int) - np.asarray(pixels.square(opaque), int)).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "I", "F"])
def test_a_grey_image_of_any_bit_depth_keeps_its_grey_level(mode: str) -> None:
    levels = {"1": 255, "I;16": 128 * 257, "I": 128 * 257, "LA": (128, 255)}
    shown = np.asarray(pixels.square(Image.new(mode, (80, 80), levels.get(mode, 128))))
    assert shown[128, 128].tolist() == [255 if mode == "1" else 128] * 3


def test_a_tall_image_is_shown_whole_between_white_bars() -> None:
    shown = np.asarray(pixels.square(Image.new("RGB", (300, 900), (10, 20, 30))))
    assert shown.shape == (256, 256, 3)
    assert shown[128, 128].tolist() == [10, 20, 30]
    assert shown[128, 4].tolist() == shown[128, -4].tolist() == [255, 255, 255]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (4000, 3000)])
def test_tiny_and_narrow_and_large_images_become_squares(size: tuple[int, int]) -> None:
    assert pixels.batch([Image.new("RGB", size)]).shape == (1, 256, 256, 3)


def test_the_image_of_the_caller_is_not_changed() -> None:
    image = red_disc_on_nothing()
    before = image.tobytes()
    pixels.square(image)
    assert (image.mode, image.tobytes()) == ("RGBA", before)
