"""Decoder processes create thumbnails and cut out regions. If an image crashes its decoder, only the request for that
image fails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image

from db.images import thumbnail_worker
from db.images.errors import ImageRejected, ImageUnreadable
from db.images.messages import DecodeError, DecodeLimits
from db.images.thumbnail_pool import ThumbnailPool

CRASHES, HANGS = b"this crashes the decoder", b"this never comes back"


def faulty(data: bytes, edge: int, limits: DecodeLimits) -> bytes | DecodeError:
    """Replaces the decoder. CRASHES kills the process, HANGS blocks the process, and other bytes become a thumbnail."""
    if data == CRASHES:
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == HANGS:
        time.sleep(600)
    return b"a thumbnail"


@pytest.fixture
def pool() -> Iterator[ThumbnailPool]:
    made = ThumbnailPool(limits=DecodeLimits(seconds=1))
    yield made
    made.close()


@pytest.fixture(scope="module")
def healthy_pool() -> Iterator[ThumbnailPool]:
    made = ThumbnailPool()
    yield made
    made.close()


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    assert image.format == "WEBP"
    return image


def test_a_thumbnail_fits_a_square_and_is_not_larger_than_the_image(healthy_pool: ThumbnailPool) -> None:
    image = encoded(Image.new("RGB", (300, 200), "red"), "JPEG")
    assert opened(healthy_pool.thumbnail(image, 64)).size == (64, 43)
    assert opened(healthy_pool.thumbnail(image, 1024)).size == (300, 200)


def test_a_thumbnail_is_rotated_by_the_exif_orientation_of_the_image(healthy_pool: ThumbnailPool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = encoded(Image.new("RGB", (300, 200), "red"), "JPEG", exif=exif)
    assert opened(healthy_pool.thumbnail(image, 128)).size == (85, 128)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_thumbnail_keeps_transparency(healthy_pool: ThumbnailPool, mode: str) -> None:
    thumbnail = opened(healthy_pool.thumbnail(encoded(Image.new(mode, (90, 90)), "PNG"), 64))
    assert thumbnail.convert("RGBA").getpixel((30, 30))[3] == 0


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "P"])
def test_the_thumbnail_of_a_large_image_looks_like_the_scaled_image(healthy_pool: ThumbnailPool, mode: str) -> None:
    drawn = Image.new("RGBA", (3001, 2003), (200, 30, 30, 255))
    drawn.paste((20, 30, 200, 255), (0, 0, 1500, 1001))
    image = drawn.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 3
    small = opened(healthy_pool.thumbnail(encoded(image, "PNG", exif=exif), 128)).convert("RGB")
    assert small.size in ((128, 85), (128, 86))
    expected = image.convert("RGB").rotate(180).resize(small.size)
    for place in ((10, 10), (100, 10), (100, 75), (10, 75)):
        assert small.getpixel(place) == pytest.approx(expected.getpixel(place), abs=8)


def test_an_image_that_needs_more_memory_than_allowed_fails_and_the_next_image_is_opened() -> None:
    pool = ThumbnailPool(1, memory_bytes=120_000_000)
    try:
        with pytest.raises(ImageUnreadable, match="memory"):
            pool.thumbnail(encoded(Image.new("RGB", (8_000, 6_000)), "TIFF", compression="tiff_deflate"), 64)
        assert opened(pool.thumbnail(encoded(Image.new("RGB", (300, 200)), "PNG"), 64)).size == (64, 43)
    finally:
        pool.close()


def test_an_image_with_too_many_pixels_is_rejected(healthy_pool: ThumbnailPool) -> None:
    with pytest.raises(ImageRejected, match="too many pixels"):
        healthy_pool.thumbnail(encoded(Image.new("1", (10_000, 10_000)), "PNG"), 64)


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\nhalf"])
def test_a_file_that_is_no_image_is_rejected(healthy_pool: ThumbnailPool, data: bytes) -> None:
    with pytest.raises(ImageRejected):
        healthy_pool.thumbnail(data, 64)


def test_if_an_image_crashes_its_decoder_only_its_request_fails(
    pool: ThumbnailPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnail_worker, "thumbnail", faulty)
    with pytest.raises(ImageUnreadable, match="SIGSEGV"):
        pool.thumbnail(CRASHES, 64)
    assert pool.thumbnail(b"good", 64) == b"a thumbnail"


def test_if_an_image_hangs_its_decoder_only_its_request_fails_after_the_time_limit(
    pool: ThumbnailPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnail_worker, "thumbnail", faulty)
    with ThreadPoolExecutor() as threads:
        hanging = threads.submit(pool.thumbnail, HANGS, 64)
        assert pool.thumbnail(b"good", 64) == b"a thumbnail"
        with pytest.raises(ImageUnreadable, match="took too long"):
            hanging.result(30)
    assert pool.thumbnail(b"good", 64) == b"a thumbnail"


def test_decoders_that_are_killed_while_idle_are_replaced(pool: ThumbnailPool) -> None:
    image = encoded(Image.new("RGB", (300, 200)), "PNG")
    before = {child.pid for child in psutil.Process().children()}
    pool.thumbnail(image, 64)
    for child in psutil.Process().children():
        if child.pid not in before and "spawn_main" in " ".join(child.cmdline()):
            child.kill()
    assert opened(pool.thumbnail(image, 64)).size == (64, 43)


def test_a_closed_pool_refuses_to_create_a_thumbnail(pool: ThumbnailPool) -> None:
    pool.close()
    with pytest.raises(ImageUnreadable):
        pool.thumbnail(encoded(Image.new("RGB", (300, 200)), "PNG"), 64)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 1.0])  # when the pool closes, its process starts or decodes an image
def test_a_pool_that_is_closed_during_calls_ends_every_call(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(thumbnail_worker, "thumbnail", faulty)
    pool = ThumbnailPool(1, limits=DecodeLimits(seconds=60))
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(pool.thumbnail, HANGS, 64) for _ in range(4)]
        time.sleep(seconds)
        pool.close()
        for call in calls:
            with pytest.raises((ImageUnreadable, CancelledError)):
                call.result(30)


def test_the_calling_process_imports_neither_pillow_nor_numpy_nor_httpx2(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.new("RGB", (300, 200)).save(image)
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from db.images.thumbnail_pool import ThumbnailPool\n"
        "if __name__ == '__main__':\n"
        "    pool = ThumbnailPool()\n"
        f"    print(len(pool.thumbnail(Path({str(image)!r}).read_bytes(), 64)))\n"
        "    pool.close()\n"
        "    print([name for name in ('PIL', 'numpy', 'httpx2') if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, env=environment)
    size, imported = done.stdout.splitlines()
    assert int(size) > 20
    assert imported == "[]"


@pytest.fixture(scope="module")
def patient_pool() -> Iterator[ThumbnailPool]:
    made = ThumbnailPool(1, DecodeLimits(seconds=30))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("orientation", "color"),
    [(1, "green"), (2, "red"), (3, "blue"), (4, "white"), (5, "blue"), (6, "red"), (7, "green"), (8, "white")],
)
def test_a_region_is_cut_from_the_upright_image(patient_pool: ThumbnailPool, orientation: int, color: str) -> None:
    """The region is the upper right quarter of the image, as a viewer shows it."""
    image = Image.new("RGB", (80, 40), "white")
    for name, place in (("red", (0, 0)), ("green", (40, 0)), ("blue", (0, 20))):
        image.paste(name, (*place, place[0] + 40, place[1] + 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = BytesIO()
    image.save(content, "PNG", exif=exif)
    region = Image.open(BytesIO(patient_pool.region(content.getvalue(), (0.5, 0, 0.5, 0.5), 512))).convert("RGB")
    assert region.size == ((40, 20) if orientation <= 4 else (20, 40))
    middle = region.getpixel((region.width // 2, region.height // 2))
    assert middle == pytest.approx(Image.new("RGB", (1, 1), color).getpixel((0, 0)), abs=3)
    with pytest.raises(ImageRejected, match="the box has no pixel"):
        patient_pool.region(content.getvalue(), (0.5, 0.5, 1e-6, 1e-6), 512)


def test_a_region_of_a_photo_of_48_megapixels_is_cut_within_350_megabytes_of_memory() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the upper half of the file is the right half of the upright image
    photo = Image.new("RGB", (8064, 6048), "white")
    photo.paste("red", (0, 0, 8064, 3024))
    content = encoded(photo, "JPEG", exif=exif)
    small = ThumbnailPool(1, DecodeLimits(seconds=30), memory_bytes=350_000_000)
    try:
        assert opened(small.region(content, (0, 0, 1, 1), 512)).size == (384, 512)
        assert opened(small.region(content, (0.49, 0.49, 0.02, 0.02), 512)).size == (120, 162)
        right = opened(small.region(content, (0.51, 0.1, 0.4, 0.3), 512)).convert("RGB")
        assert max(right.size) == 512
        assert right.getpixel((5, 5)) == pytest.approx((255, 0, 0), abs=4)
    finally:
        small.close()
