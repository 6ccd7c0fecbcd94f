"""Valid images of any usual kind open upright on a white background. Bad images are refused with a reason."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

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
    "truncated TIFF": (encoded(RED, "TIFF")[:60], "damaged"),
    "TIFF whose directory leads to itself": (b"II*\0\x08\0\0\0\x00\x00\x08\x00\x00\x00", "damaged"),
    "PDF": (b"%PDF-1.7\n1 0 obj\n", "not an image"),
    "GIF with a giant frame": (
        b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;",
        "damaged|pixels|not an image",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_is_refused_with_the_reason(name: str) -> None:
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
        (RED, "TIFF"),
        (RED.convert("L"), "TIFF"),
        (RED.convert("1"), "TIFF"),
        (RED.convert("P"), "TIFF"),
        (RED.convert("LA"), "TIFF"),
        (RED.convert("RGBA"), "TIFF"),
        (RED.convert("CMYK"), "TIFF"),
        (RED.convert("YCbCr"), "TIFF"),
        (Image.new("LAB", (4, 4), (128, 200, 180)), "TIFF"),
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


RAMP = np.linspace(0, 1, 256).reshape(16, 16)
DEEP = {
    "16-bit PNG": encoded(Image.fromarray((RAMP * 65535).round().astype(np.uint16)), "PNG"),
    "16-bit TIFF": encoded(Image.fromarray((RAMP * 65535).round().astype(np.uint16)), "TIFF"),
    "16-bit TIFF, big-endian": encoded(Image.fromarray((RAMP * 65535).round().astype(np.uint16).astype(">u2")), "TIFF"),
    "16-bit tones in 32 bits": encoded(Image.fromarray((RAMP * 65535).round().astype(np.int32)), "TIFF"),
    "32-bit TIFF": encoded(Image.fromarray((RAMP * (2**31 - 1)).astype(np.int32)), "TIFF"),
    "float TIFF, 0 to 1": encoded(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "float TIFF, 0 to 255": encoded(Image.fromarray((RAMP * 255).astype(np.float32)), "TIFF"),
}


@pytest.mark.parametrize("keep_alpha", [False, True])
@pytest.mark.parametrize("name", DEEP)
def test_grey_of_more_than_eight_bits_keeps_its_tones(name: str, keep_alpha: bool) -> None:
    opened = open_image(DEEP[name], MAX_PIXELS, keep_alpha=keep_alpha).image
    assert np.abs(np.asarray(opened)[..., 0].ravel() - np.arange(256.0)).max() <= 1


def test_a_dark_sixteen_bit_image_is_not_brightened() -> None:
    dark = encoded(Image.fromarray(np.full((4, 4), 2570, dtype=np.uint16)), "PNG")
    assert open_image(dark, MAX_PIXELS).image.getpixel((0, 0)) == (10, 10, 10)


def test_nan_and_infinite_pixels_of_a_float_image_become_black() -> None:
    tones = np.array([[0.5, np.nan], [np.inf, 1.0]], dtype=np.float32)
    opened = np.asarray(open_image(encoded(Image.fromarray(tones), "TIFF"), MAX_PIXELS).image)[..., 0]
    assert opened.tolist() == [[128, 0], [0, 255]]


def test_the_transparent_tone_of_a_sixteen_bit_image_becomes_white() -> None:
    grey = Image.fromarray(np.array([[1000, 20_000]], dtype=np.uint16))
    data = encoded(grey, "PNG", transparency=1000)
    assert open_image(data, MAX_PIXELS).image.getpixel((0, 0)) == (255, 255, 255)
    assert open_image(data, MAX_PIXELS).image.getpixel((1, 0)) == (78, 78, 78)
    assert open_image(data, MAX_PIXELS, keep_alpha=True).image.getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
@pytest.mark.parametrize("keep_alpha", [False, True])
def test_cmyk_colours_are_not_inverted(format_: str, keep_alpha: bool) -> None:
    data = encoded(RED.convert("CMYK"), format_)
    red, green, blue = open_image(data, MAX_PIXELS, keep_alpha=keep_alpha).image.getpixel((5, 5))[:3]
    assert red > 200
    assert max(green, blue) < 60


def test_cmyk_colours_with_a_damaged_profile_are_converted_without_the_profile() -> None:
    data = encoded(RED.convert("CMYK"), "TIFF", icc_profile=b"not a profile")
    assert open_image(data, MAX_PIXELS).image.getpixel((5, 5))[0] > 240


@pytest.mark.parametrize("format_", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_of_every_exif_orientation_is_opened_upright(orientation: int, format_: str) -> None:
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
    upright_image = open_image(encoded(stored, format_, exif=exif, quality=95), MAX_PIXELS)
    opened = upright_image.image
    assert opened.size == (upright_image.width, upright_image.height) == (64, 32)
    red, green, _ = opened.getpixel((8, 8))
    assert red > 200 > 100 > green
    assert min(opened.getpixel((56, 24))) > 200


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_an_image_with_corrupt_exif_is_opened() -> None:
    data = encoded(RED, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert open_image(data, MAX_PIXELS).image.size == RED.size


def test_an_animation_whose_first_frame_is_not_empty_opens_as_this_frame() -> None:
    first = Image.new("L", (8, 8), 0)
    first.paste(200, (0, 0, 4, 8))
    data = encoded(first, "GIF", save_all=True, append_images=[first.rotate(90), first.rotate(180)])
    opened = open_image(data, MAX_PIXELS).image
    assert (opened.getpixel((0, 7)), opened.getpixel((7, 0))) == ((200, 200, 200), (0, 0, 0))


EMPTY = {
    "white": Image.new("RGBA", (32, 32), "white"),
    "black": Image.new("RGBA", (32, 32), "black"),
    "transparent": Image.new("RGBA", (32, 32), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("keep_alpha", [False, True])
@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("empty", EMPTY)
def test_empty_frames_at_the_start_of_an_animation_are_skipped(empty: str, format_: str, keep_alpha: bool) -> None:
    shown = Image.new("RGBA", (32, 32), "white")
    shown.paste((200, 0, 0, 255), (8, 8, 24, 24))
    later = Image.new("RGBA", (32, 32), "white")
    later.paste((0, 0, 200, 255), (8, 8, 24, 24))
    data = encoded(
        EMPTY[empty], format_, save_all=True, append_images=[EMPTY[empty].copy(), shown, later], duration=100
    )
    red, green, blue = open_image(data, MAX_PIXELS, keep_alpha=keep_alpha).image.getpixel((16, 16))[:3]
    assert red > 150
    assert max(green, blue) < 80


@pytest.mark.parametrize("frames", [3, 500])
def test_an_animation_of_empty_frames_opens_as_its_first_frame(frames: int) -> None:
    others = [Image.new("L", (8, 8), 1 + n % 255) for n in range(frames)]
    data = encoded(Image.new("L", (8, 8), 0), "GIF", save_all=True, append_images=others)
    assert open_image(data, MAX_PIXELS).image.getpixel((0, 0)) == (0, 0, 0)


def test_a_heic_image_is_opened_or_the_error_names_the_missing_package() -> None:
    try:
        import pillow_heif
    except ImportError:
        with pytest.raises(ImageRejected, match=r"pip install 'windowshop\[heic\]'"):
            open_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", MAX_PIXELS)
        return
    buffer = BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(buffer)
    opened = open_image(buffer.getvalue(), MAX_PIXELS)
    assert (opened.image.mode, opened.image.size) == ("RGB", (64, 48))
    assert opened.image.getpixel((30, 20))[0] > 240


def test_the_perceptual_hash_is_similar_after_scaling_and_different_for_another_image() -> None:
    drawing = Image.fromarray(np.random.default_rng(7).integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((200, 200))
    other = Image.fromarray(np.random.default_rng(8).integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((200, 200))

    def distance(a: Image.Image, b: Image.Image) -> int:
        one, two = (perceptual_hash(open_image(encoded(image, "PNG"), MAX_PIXELS).image) for image in (a, b))
        return sum(x != y for x, y in zip(one, two, strict=True))

    assert distance(drawing, drawing.resize((90, 90))) <= 6
    assert distance(drawing, other) >= 16


def test_the_first_page_of_a_tiff_is_opened_even_if_it_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "pages.tif"
    EMPTY["white"].convert("RGB").save(file, save_all=True, append_images=[Image.new("RGB", (40, 30), "red")])
    assert open_image(file.read_bytes(), MAX_PIXELS).image.size == (32, 32)
