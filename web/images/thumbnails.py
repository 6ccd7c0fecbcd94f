"""Creates thumbnails of catalog images, and keeps the most recently used thumbnails in memory of bounded size."""

import hashlib

from db.images.thumbnail_pool import ThumbnailPool
from web.http.limiter import ConcurrencyLimiter
from web.images.lru_cache import LruCache

SIZES = (64, 128, 256, 512, 1024)  # edges in pixels; few sizes, so that memory holds few thumbnails of each image


class Thumbnails:
    def __init__(self, pool: ThumbnailPool, bytes_kept: int = 32_000_000) -> None:
        self._pool = pool
        self._limiter = ConcurrencyLimiter(2, 64)
        self._kept: LruCache[tuple[bytes, int]] = LruCache(bytes_kept)

    async def get(self, image: bytes, size: int) -> bytes:
        """Returns a WebP that fits into a square. The edge of the square is the smallest of SIZES that is at least
        `size`. Raises ImageRejected when the image cannot be decoded, and ApiError when too many requests wait."""
        edge = next(each for each in SIZES if each >= size)
        key = hashlib.sha256(image).digest(), edge
        thumbnail = self._kept.get(key)
        if thumbnail is None:
            thumbnail = await self._limiter.in_thread(self._pool.thumbnail, image, edge)
            self._kept.put(key, thumbnail)
        return thumbnail
