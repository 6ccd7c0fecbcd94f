"""Keeps the images by which visitors search, so that the address of a search can name its image. Memory is bounded, so
an image is kept only for a while."""

import asyncio
import hashlib

from db.functions.constants import MAX_IMAGE_BYTES
from db.images.errors import ImageRejected
from db.images.formats import NAMES
from db.images.thumbnail_pool import ThumbnailPool
from web.http.database import ConcurrencyLimiter
from web.http.problems import ApiError
from web.images.lru_cache import LruCache

CHOOSE = f"Choose an image in one of the formats {NAMES}."
EDGE = 512  # longest edge of a kept image in pixels; no supported model uses larger images


class Uploads:
    """Visitors' images. The name of an image is a hash of its content, so nobody can guess the name of another
    visitor's image."""

    def __init__(self, pool: ThumbnailPool, bytes_kept: int = 64_000_000) -> None:
        self._pool = pool
        self._limiter = ConcurrencyLimiter(2, 16)
        self._kept: LruCache[str] = LruCache(bytes_kept)

    async def keep(self, image: bytes) -> str:
        """Keep a smaller version of the image and return its name. Raises ApiError for a file that is too large or
        not an image."""
        if not image:
            raise ApiError("invalid", "The file is empty.", hint=CHOOSE)
        if len(image) > MAX_IMAGE_BYTES:
            raise ApiError(
                "too-large", "The image is larger than 10 MB.", hint="A smaller copy finds the same products."
            )
        try:
            async with self._limiter:
                small = await asyncio.to_thread(self._pool.thumbnail, image, EDGE)
        except ImageRejected:
            raise ApiError("invalid", "This file cannot be opened as an image.", hint=CHOOSE) from None
        name = hashlib.sha256(small).hexdigest()[:32]
        self._kept.put(name, small)
        return name

    def get(self, name: str) -> bytes | None:
        """Returns the image as WebP, or None when it is no longer kept."""
        return self._kept.get(name)
