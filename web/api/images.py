"""GET /images/{product_id} returns an image of the catalog, unchanged or as a thumbnail."""

import asyncio
import hashlib
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import PathParameter, QueryParameter
from sqlalchemy import Connection

from db.catalog import store as catalog
from db.catalog.store import ImageFile
from db.images.errors import ImageRejected
from db.images.files import read_file
from db.images.formats import media_type
from db.images.messages import MAX_FILE_BYTES
from web.api.key_limits import KeyLimits, is_public
from web.api.openapi import KEY, UNCHANGED, answers
from web.http.compression import UNCOMPRESSED
from web.http.context import context_of
from web.http.problems import ApiError

MINUTE, DAY = 60, 86_400  # seconds


@get(
    "/images/{product_id:uuid}",
    operation_id="readImage",
    opt={"strict": True, UNCOMPRESSED: True},
    security=[*KEY, {}],
    tags=["Images"],
    responses=answers(bytes, "not-found", "database-unavailable", media_type="image/*") | UNCHANGED,
)
async def image(
    request: Request[Any, Any, Any],
    state: State,
    product_id: Annotated[UUID, PathParameter(description="The product that the image shows.")],
    position: Annotated[
        int,
        QueryParameter(ge=0, le=99, description="Position among the product's images. The first position is 0."),
    ] = 0,
    size: Annotated[
        int | None,
        QueryParameter(
            ge=1,
            le=1024,
            description="Return a thumbnail that fits into a square. The side of the square is the smallest of 64, "
            "128, 256, 512 and 1,024 pixels that is at least `size`. Without `size`, return the unchanged file.",
        ),
    ] = None,
    v: Annotated[
        str | None,
        QueryParameter(
            max_length=64,
            description="Hash of the image's content, which search results contain. If the stored image has another "
            "hash, for example because it was replaced, the response may be cached for 1 minute instead of 1 day.",
        ),
    ] = None,
) -> Response[bytes]:
    """Return an image of a product, if the catalog stores it as a file. If the catalog is not public, the request needs
    a key of scope search.

    For an image that is stored as a file, search results contain this address.
    """
    key = context_of(request.scope).api_key
    limits = KeyLimits(key)

    def find(conn: Connection) -> tuple[ImageFile, bool] | None:
        found = catalog.image_file(conn, product_id, position)
        if found is None:
            return None
        if is_public(state.public_catalogs, found.catalog):
            return found, True
        if key is None or not key.allows("search") or not limits.allows_catalog(found.catalog):
            return None
        limits.check_products(conn, found.catalog, (found.sku,))
        return found, False

    read = await state.pools.read(request, find, primary=True)
    if read is None:
        raise ApiError("not-found", "There is no such image here.")
    file, is_visible_to_all = read
    try:
        content = await asyncio.to_thread(read_file, file.folder, file.path, MAX_FILE_BYTES)
        kind = media_type(content)
        age = MINUTE if v is not None and not hashlib.sha256(content).hexdigest().startswith(v) else DAY
        if size is not None:
            content, kind = await state.thumbnails.get(content, size), "image/webp"
    except ImageRejected:
        raise ApiError("not-found", "There is no such image here.") from None
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    caches = "public" if is_visible_to_all else "private"
    headers = {"ETag": tag, "Cache-Control": f"{caches}, max-age={age}", "Content-Security-Policy": "sandbox"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)
