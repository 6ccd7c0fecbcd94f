"""Pictures that visitors of the page search by, kept a while in bounded memory so that an address can name one."""

import asyncio
import hashlib

from db.images.files import NotServed
from web.http.database import ConcurrencyLimiter
from web.http.problems import ApiError
from web.images.lru_cache import LruCache

MAX_BYTES = 10 * 1024 * 1024  # as shop.clip_image takes it
EDGE = 512  # as much as models look at


class Uploads:
    """Named by content: nobody can guess the name of another's picture."""

    def __init__(self, bytes_kept: int = 64_000_000) -> None:
        self._door = ConcurrencyLimiter(2, 16)
        self._kept: LruCache[str] = LruCache(bytes_kept)

    async def keep(self, picture: bytes) -> str:
        """Scaled down; its name. Raises ApiError for what is too large or no picture."""
        from db.images.thumbnails import thumbnail  # Pillow: only when the first comes

        if not picture:
            raise ApiError("invalid", "The file is empty.", hint="Choose a JPEG, PNG, WebP or GIF.")
        if len(picture) > MAX_BYTES:
            raise ApiError("too-large", "The picture is larger than 10 MB.", hint="A smaller copy finds the same.")
        try:
            async with self._door:
                small = await asyncio.to_thread(thumbnail, picture, EDGE)
        except NotServed:
            raise ApiError(
                "invalid", "This file cannot be opened as a picture.", hint="Choose a JPEG, PNG, WebP or GIF."
            ) from None
        name = hashlib.sha256(small).hexdigest()[:32]
        self._kept.put(name, small)
        return name

    def get(self, name: str) -> bytes | None:
        """A WebP; None when it is gone."""
        return self._kept.get(name)
