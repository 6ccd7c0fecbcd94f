"""A large PNG is scaled while it is read, and looks like a PNG that is decoded as a whole and then scaled."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from db.images import large_png
from db.images.errors import ImageRejected, ImageUnreadable
from db.images.opening import OpenedImage, open_image
from db.images.thumbnail_pool import ThumbnailPool

EDGE = 32
SIZE = (331, 263)  # neither number is a multiple of 4, the factor by which the tests scale


@pytest.fixture(autouse=True)
def smaller_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_png, "LARGE_PIXELS", 80_000)
    monkeypatch.setattr(large_png, "_STRIP_BYTES", 10_000)


def drawing(mode: str) -> Image.Image:
    tones = np.random.default_rng(3).integers(0, 255, (9, 11, 4), dtype=np.uint8)
    return Image.fromarray(tones).resize(SIZE, Image.Resampling.BICUBIC).convert(mode)


def png(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(colour: int, bits: int, rows: bytes, *, size: tuple[int, int] = SIZE, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_png(tones: Any) -> bytes:
    """Returns a PNG of 16 bits, whose rows use all five filters in turn."""
    height, width, channels = tones.shape
    step = 2 * channels
    raw = tones.astype(">u2").tobytes()
    lines = [raw[n * width * step : (n + 1) * width * step] for n in range(height)]
    rows = bytearray()
    for n, line in enumerate(lines):
        up = np.frombuffer(lines[n - 1] if n else bytes(len(line)), np.uint8).astype(int)
        here = np.frombuffer(line, np.uint8).astype(int)
        left, corner = (np.concatenate((np.zeros(step, int), each[:-step])) for each in (here, up))
        near = [np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)]
        paeth = np.where((near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], up, corner))
        predicted = [np.zeros_like(here), left, up, (left + up) // 2, paeth][n % 5]
        rows += bytes([n % 5]) + ((here - predicted) % 256).astype(np.uint8).tobytes()
    return raw_png({1: 0, 2: 4, 3: 2, 4: 6}[channels], 16, bytes(rows), size=(width, height))


def read(data: bytes, *, keep_alpha: bool = False) -> tuple[OpenedImage, Any]:
    opened = open_image(data, 50_000_000, lambda *_: (EDGE, EDGE), keep_alpha=keep_alpha)
    return opened, np.asarray(opened.image).astype(int)


def whole(image: Image.Image, factor: int) -> Any:
    """Returns the pixels of an image that was decoded as a whole and scaled on a white background."""
    rgba = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB").reduce(factor))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_large_png_is_scaled_and_looks_the_same(mode: str) -> None:
    opened, pixels = read(png(drawing(mode)))
    factor = min(SIZE) // EDGE // 2
    assert opened.image.size == tuple(-(-side // factor) for side in SIZE)
    assert (opened.width, opened.height) == SIZE
    assert np.abs(pixels - whole(drawing(mode), factor)).max() <= 3


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_large_png_of_16_bits_is_scaled_and_looks_the_same(channels: int) -> None:
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    eight = np.asarray(drawing(mode)).reshape(SIZE[1], SIZE[0], channels)
    low = np.random.default_rng(4).integers(0, 256, eight.shape)
    _, pixels = read(deep_png(eight.astype(int) * 256 + low))
    assert np.abs(pixels - whole(drawing(mode), min(SIZE) // EDGE // 2)).max() <= 3


def test_transparent_pixels_add_no_colour_to_a_scaled_png() -> None:
    image = Image.new("RGBA", SIZE, (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (SIZE[0] // 2, 0, *SIZE))
    _, pixels = read(png(image), keep_alpha=True)
    assert pixels[pixels[..., 3] > 0][:, :3].min(axis=0).tolist() == [255, 0, 0]
    assert pixels[..., 3].min() == 0


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_transparent_colour_of_a_large_png_becomes_white(mode: str) -> None:
    image = Image.new("RGB", SIZE, (10, 10, 10)).convert(mode)
    _, pixels = read(png(image, transparency=10 if mode == "L" else (10, 10, 10)))
    assert pixels.min() == 255


@pytest.mark.parametrize("late", [False, True])
def test_a_large_png_is_turned_by_its_exif_data_wherever_they_are_in_the_file(late: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png(drawing("RGB"), exif=exif)
    start = data.index(b"eXIf") - 4
    length = struct.unpack_from(">I", data, start)[0] + 12
    if late:
        data = data[:start] + data[start + length : -12] + data[start : start + length] + data[-12:]
    opened, pixels = read(data)
    assert (opened.width, opened.height) == (SIZE[1], SIZE[0])
    expected = whole(drawing("RGB").transpose(Image.Transpose.ROTATE_270), 1)
    assert pixels[0, -1] == pytest.approx(expected[:4, -4:].mean((0, 1)), abs=12)


def pngs_decoded_as_a_whole() -> Iterator[tuple[str, bytes]]:
    yield "palette", png(drawing("RGB").quantize(16))
    yield "1 bit", png(drawing("L").convert("1"))
    yield "animated", png(drawing("RGB"), save_all=True, append_images=[drawing("RGB").rotate(90)], duration=100)
    yield "16 bits with a transparent tone", png(Image.fromarray(np.full(SIZE[::-1], 700, np.uint16)), transparency=700)


@pytest.mark.parametrize(
    ("name", "data"), list(pngs_decoded_as_a_whole()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_large_png_of_an_unsupported_kind_is_decoded_as_a_whole(name: str, data: bytes) -> None:
    assert read(data)[0].image.size == SIZE


def test_a_smaller_png_is_decoded_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_png, "LARGE_PIXELS", SIZE[0] * SIZE[1] + 1)
    assert (read(png(drawing("RGB")))[1] == np.asarray(drawing("RGB"))).all()


ROW = b"\0" + bytes(3 * SIZE[0])
DAMAGED = {
    "too few rows": raw_png(2, 8, ROW * (SIZE[1] // 2)),
    "half a row": raw_png(2, 8, ROW * (SIZE[1] - 1) + ROW[:99]),
    "an unknown filter": raw_png(2, 8, (b"\7" + ROW[1:]) * SIZE[1]),
    "no pixels": raw_png(2, 8, b""),
    "no zlib stream": raw_png(2, 8, b"").replace(zlib.compress(b""), b"12345678"),
    "the file ends in the pixels": png(drawing("RGB"))[:20_000],
    "a chunk longer than the file": png(drawing("RGB"))[:8] + b"\xff\xff\xff\xff" + png(drawing("RGB"))[12:],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_large_damaged_png_is_refused(name: str) -> None:
    with pytest.raises(ImageRejected, match="damaged"):
        read(DAMAGED[name])


def test_a_png_with_bytes_after_the_last_row_is_opened() -> None:
    _, pixels = read(raw_png(2, 8, ROW * SIZE[1] * 50))
    assert pixels.max() == 0


def test_a_png_of_50_million_pixels_takes_less_memory_than_a_decoded_image() -> None:
    """The PNG has to be this large, because the fixture `smaller_limits` has no effect in the process of the pool."""
    data = raw_png(6, 8, (b"\0" + bytes(4 * 8_000)) * 6_250, size=(8_000, 6_250))
    pool = ThumbnailPool(1, memory_bytes=60_000_000)
    try:
        assert Image.open(BytesIO(pool.thumbnail(data, 512))).size == (512, 400)
        with pytest.raises(ImageUnreadable, match="memory"):
            pool.thumbnail(raw_png(6, 8, b"", size=(8_000, 6_250), interlace=1), 512)
    finally:
        pool.close()
