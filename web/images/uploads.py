"""Keeps smaller copies of the images that visitors of the page upload, and cuts regions out of images.

A copy is kept so that the address of a search can name its image. The memory for the copies is bounded. The page and
REST need regions for searches by a part of an image.
"""

import hashlib
from dataclasses import replace

from db.functions.constants import MAX_IMAGE_BYTES
from db.images import thumbnail_pool
from db.images.errors import ImageRejected, ImageUnreadable
from db.images.formats import NAMES
from db.images.messages import Box
from db.images.thumbnail_pool import ThumbnailPool
from web.http.limiter import ConcurrencyLimiter
from web.http.problems import ApiError
from web.images.lru_cache import LruCache

CHOOSE = f"Choose an image in one of the formats {NAMES}."
SMALLER = "A smaller copy finds the same products."
EDGE = 512  # longest edge of a region in pixels; no supported model uses larger images
KEPT_EDGE = 1024  # longest edge of a kept image, from which a visitor may choose a part
PROCESSES = 1
# An image of 50 million pixels takes 200 MB while it is open, and a progressive JPEG up to 300 MB.
MEMORY_BYTES = 350_000_000
LIMITS = replace(thumbnail_pool.LIMITS, max_webp_pixels=16_000_000)  # such a WebP takes 256 MB while it is open
NICENESS = 10  # a lower priority than that of searches and thumbnails


class Uploads:
    """Visitors' images. The name of an image is a hash of its smaller copy, so only someone who has the image can
    compute its name."""

    def __init__(self, bytes_kept: int = 64_000_000) -> None:
        # Uploaded images are opened in a process of their own, so that they do not delay thumbnails of the catalog.
        self._pool = ThumbnailPool(PROCESSES, LIMITS, memory_bytes=MEMORY_BYTES, niceness=NICENESS)
        self._limiter = ConcurrencyLimiter(PROCESSES, 16)
        self._kept: LruCache[str | tuple[str, Box]] = LruCache(bytes_kept)

    def close(self) -> None:
        self._pool.close()

    async def keep(self, image: bytes) -> str:
        """Keeps a smaller copy of the image, and returns the name of the copy. Raises ApiError if the file is empty,
        too large or cannot be opened, or if too many images wait."""
        _check(image)
        try:
            small = await self._limiter.in_thread(self._pool.thumbnail, image, KEPT_EDGE)
        except ImageUnreadable as error:
            raise ApiError("invalid", f"The image cannot be opened here: {error.message}.", hint=SMALLER) from None
        except ImageRejected:
            raise ApiError("invalid", "This file cannot be opened as an image.", hint=CHOOSE) from None
        name = hashlib.sha256(small).hexdigest()[:32]
        self._kept.put(name, small)
        return name

    async def region(self, image: bytes, box: Box) -> bytes:
        """Returns a region of the image as WebP. Raises ApiError if the file is empty, too large or cannot be opened,
        if the region has no pixel, or if too many images wait."""
        _check(image)
        try:
            return await self._limiter.in_thread(self._pool.region, image, box, EDGE)
        except ImageRejected as error:  # ImageUnreadable: too much memory, time or pixels
            hint = SMALLER if isinstance(error, ImageUnreadable) else ""
            raise ApiError("invalid", f"The region cannot be read: {error.message}.", hint=hint) from None

    async def part(self, name: str, box: Box | None) -> bytes | None:
        """Returns a region of a kept image as WebP. Without `box`, returns the whole image. Returns None when the image
        is no longer kept. Each page of results searches by the region again, so the region is kept too. Raises the
        errors of `region`."""
        image = self._kept.get(name)
        if image is None or box is None:
            return image
        part = self._kept.get((name, box))
        if part is None:
            part = await self.region(image, box)
            self._kept.put((name, box), part)
        return part

    def get(self, name: str) -> bytes | None:
        """Returns the image as WebP, or None when it is no longer kept."""
        return self._kept.get(name)


def _check(image: bytes) -> None:
    if not image:
        raise ApiError("invalid", "The file is empty.", hint=CHOOSE)
    if len(image) > MAX_IMAGE_BYTES:
        raise ApiError("too-large", "The image is larger than 10 MB.", hint=SMALLER)
