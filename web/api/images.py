"""Pictures of the catalog, as they are or small."""

import asyncio
import hashlib
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import PathParameter, QueryParameter

from db.catalog import store as catalog
from db.images.files import NotServed, kind_of, read_picture
from web.api.openapi import answers
from web.http.database import ConcurrencyLimiter
from web.http.problems import ApiError
from web.images.lru_cache import LruCache

DAY = 86_400


class Thumbnails:
    """Two are made at a time; the last used are kept, in bounded memory."""

    def __init__(self, bytes_kept: int = 32_000_000) -> None:
        self._door = ConcurrencyLimiter(2, 64)
        self._kept: LruCache[tuple[bytes, int]] = LruCache(bytes_kept)

    async def of(self, picture: bytes, size: int) -> bytes:
        from db.images.thumbnails import thumbnail  # Pillow: only when the first is asked for

        key = hashlib.sha256(picture).digest(), size
        found = self._kept.get(key)
        if found is None:
            async with self._door:
                found = await asyncio.to_thread(thumbnail, picture, size)
            self._kept.put(key, found)
        return found


@get(
    "/images/{product_id:uuid}",
    tags=["Pictures"],
    responses=answers(bytes, None, "not-found", "database-unavailable", media_type="image/*"),
)
async def image(
    request: Request[Any, Any, Any],
    state: State,
    product_id: Annotated[UUID, PathParameter(description="Of the product the picture is of.")],
    position: Annotated[int, QueryParameter(ge=0, le=99, description="Which of the product's pictures.")] = 0,
    size: Annotated[
        int | None, QueryParameter(ge=1, le=1024, description="Pixels it should have at least; none: as it is.")
    ] = None,
) -> Response[bytes]:
    """A picture of a product, when the catalog has it as a file. Results name the address."""
    found = await state.pools.read(request, lambda conn: catalog.image_file(conn, product_id, position), primary=True)
    try:
        if found is None:
            raise NotServed(product_id)
        picture = await asyncio.to_thread(read_picture, *found)
        kind = kind_of(picture)
        if size is not None:
            picture, kind = await state.thumbnails.of(picture, size), "image/webp"
    except NotServed:
        raise ApiError("not-found", "There is no such picture here.") from None
    tag = f'"{hashlib.sha256(picture).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={DAY}", "Content-Security-Policy": "sandbox"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(picture, media_type=kind, headers=headers)
