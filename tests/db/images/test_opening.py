"""Valid images of any usual kind open upright on a white background. Bad images are refused with a reason."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from db.images.errors import ImageRejected
from db.images.opening import open_image
from db.images.perceptual_hash import perceptual_hash

MAX_PIXELS = 50_000_000


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Returns a PNG that has a valid header but no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


RED = Image.new("RGB", (40, 30), (255, 0, 0))
JPEG = encoded(RED, "JPEG", quality=95)

BAD = {
    "empty": (b"", "empty"),
    "HTML named .jpg": (b"<!doctype html><html><body>404</body></html>", "not an image"),
    "truncated JPEG": (JPEG[: len(JPEG) // 2], "damaged"),
    "header only": (JPEG[:20], "not an image|damaged"),
    "pixel bomb": (png_header(60_000, 60_000), "pixels"),
    "PNG without pixels": (png_header(10, 10), "damaged"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not an image"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not an image"),
    "PSD": (b"8BPS\0\1" + bytes(40), "not an image"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "not an image"),
    "FITS": (b"SIMPLE  =                    T" + b" " * 2850, "not an image"),
    "TIFF": (encoded(RED, "TIFF"), "not an image"),
    "PDF": (b"%PDF-1.7\n1 0 obj\n", "not an image"),
    "GIF with a giant frame": (
        b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;",
        "damaged|pixels|not an image",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_is_refused_with_its_reason(name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(ImageRejected, match=reason):
        open_image(data, MAX_PIXELS)


def test_a_png_with_a_compressed_text_of_70_million_characters_is_refused() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 70_000_000, zip=True)
    with pytest.raises(ImageRejected, match="damaged"):
        open_image(encoded(RED, "PNG", pnginfo=info), MAX_PIXELS)


@pytest.mark.parametrize(
    ("image", "format_"),
    [
        (RED.convert("L"), "PNG"),
        (RED.convert("1"), "PNG"),
        (RED.convert("P"), "GIF"),
        (RED.convert("CMYK"), "JPEG"),
        (RED.convert("LA"), "PNG"),
        (RED, "WEBP"),
        (RED, "BMP"),
        (RED, "AVIF"),
        (Image.new("RGB", (1, 1)), "PNG"),
        (Image.new("RGB", (1, 1000)), "PNG"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.mode} {value.size}",
)
def test_every_usual_kind_of_image_opens_as_rgb(image: Image.Image, format_: str) -> None:
    opened = open_image(encoded(image, format_), MAX_PIXELS).image
    assert (opened.mode, opened.size) == ("RGB", image.size)


def test_transparent_pixels_become_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert open_image(encoded(clear, "PNG"), MAX_PIXELS).image.getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0] * 256)
    assert open_image(encoded(palette, "PNG", transparency=0), MAX_PIXELS).image.getpixel((0, 0)) == (255, 255, 255)


def test_a_sixteen_bit_grey_image_keeps_its_tones() -> None:
    tones = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    opened = np.asarray(open_image(encoded(Image.fromarray(tones), "PNG"), MAX_PIXELS).image)[..., 0]
    assert opened.tolist() == [[0, 100], [200, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_of_every_exif_orientation_is_opened_upright(orientation: int) -> None:
    upright = Image.new("RGB", (64, 32), "white")
    upright.paste((255, 0, 0), (0, 0, 32, 16))  # red at the top left
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(encoded(stored, "JPEG", exif=exif, quality=95), MAX_PIXELS).image
    assert opened.size == (64, 32)
    red, green, _ = opened.getpixel((8, 8))
    assert red > 200 > 100 > green
    assert min(opened.getpixel((56, 24))) > 200


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_an_image_with_corrupt_exif_is_opened() -> None:
    data = encoded(RED, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert open_image(data, MAX_PIXELS).image.size == RED.size


def test_an_animation_is_opened_as_its_first_frame() -> None:
    frames = [Image.new("L", (8, 8), n % 256) for n in range(1, 500)]
    data = encoded(Image.new("L", (8, 8), 0), "GIF", save_all=True, append_images=frames)
    assert open_image(data, MAX_PIXELS).image.getpixel((0, 0)) == (0, 0, 0)


def test_the_perceptual_hash_is_similar_after_scaling_and_different_for_another_image() -> None:
    drawing = Image.fromarray(np.random.default_rng(7).integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((200, 200))
    other = Image.fromarray(np.random.default_rng(8).integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((200, 200))

    def distance(a: Image.Image, b: Image.Image) -> int:
        one, two = (perceptual_hash(open_image(encoded(image, "PNG"), MAX_PIXELS).image) for image in (a, b))
        return sum(x != y for x, y in zip(one, two, strict=True))

    assert distance(drawing, drawing.resize((90, 90))) <= 6
    assert distance(drawing, other) >= 16
