"""GET /v1/export-products streams the products of a catalog that pass a filter, one line of JSON for each."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from litestar.response import Stream
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from db.catalog import catalogs
from db.catalog.export import export
from web.api.attributes import ShownAttributes
from web.api.key_limits import KeyLimits
from web.api.openapi import KEY, KEYED, answers
from web.api.products import CatalogInQuery
from web.api.search import FILTER, MAX_FILTER
from web.http.bodies import decoded
from web.http.context import context_of
from web.http.limiter import ConcurrencyLimiter
from web.http.pool import ConnectionLost, in_transaction
from web.http.problems import ApiError

MEDIA_TYPE = "application/x-ndjson"
SECONDS = 600  # an export that takes longer is ended
EXPORTS = 2  # the most exports that run at the same time; each holds a reading connection
_SHARE = 4  # one in four reading connections may serve exports, so that the others are left for searches
_CHUNKS = 1  # the most chunks that wait for a slow client; while they wait, the database waits too


def limiter(connections: int) -> ConcurrencyLimiter:
    """Limits the exports of a service with `connections` reading connections. A quarter of the connections may serve
    exports, but at least one and at most EXPORTS."""
    return ConcurrencyLimiter(max(1, min(EXPORTS, connections // _SHARE)), 0)


@get(
    "/export-products",
    operation_id="exportProducts",
    opt={"scope": "write", "strict": True},
    security=KEY,
    tags=["Products"],
    responses=answers(bytes, *KEYED, "not-found", media_type=MEDIA_TYPE),
)
async def export_products(
    request: Request[Any, Any, Any],
    state: State,
    catalog: CatalogInQuery = "main",
    filter_: Annotated[str | None, QueryParameter(name="filter", max_length=MAX_FILTER, description=FILTER)] = None,
) -> Stream:
    """Stream the products of a catalog that pass a filter, in one snapshot of the database. Each line is a product that
    PUT /v1/products and `windowshop load` accept. A complete HTTP response ends with an empty chunk. If an export
    fails, this chunk is missing, so that the client can tell that the export is incomplete."""
    condition = None if filter_ is None else decoded(filter_.encode("utf-8", "replace"), dict[str, Any], name="filter")
    shown = ShownAttributes(state.settings.attributes)
    shown.check(condition)
    KeyLimits.of(request).check_catalog(catalog)
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_CHUNKS)
    has_begun = False

    def produce(conn: Connection) -> None:
        nonlocal has_begun
        if has_begun:  # the pool repeats a call whose connection broke, but a part of the export has been sent
            raise ConnectionLost("the connection broke during an export")
        if not catalogs.exists(conn, catalog):
            raise ApiError("not-found", f"There is no catalog {catalog[:80]}.")
        for batch in export(conn, catalog, filter_):
            has_begun = True
            await_only(chunks.put(b"".join(_line(product, shown) for product in batch)))

    def in_one_snapshot(conn: Connection) -> None:
        in_transaction(conn, produce, "repeatable read")

    context = context_of(request.scope)
    context.extend(SECONDS)
    found = stream(state.exports, chunks, lambda: state.pools.read(request, in_one_snapshot))
    first = await anext(found, b"")
    if context.is_head:
        await found.aclose()
    return Stream(_with_first(first, found), media_type=MEDIA_TYPE)


def _line(product: dict[str, Any], shown: ShownAttributes) -> bytes:
    if "attributes" in product:
        product["attributes"] = shown.shown(product["attributes"])
    return msgspec.json.encode(product) + b"\n"


async def stream(
    slots: ConcurrencyLimiter, chunks: asyncio.Queue[bytes], start: Callable[[], Awaitable[None]]
) -> AsyncGenerator[bytes]:
    """Yields the chunks until the call that `start` begins has ended. Raises the error of the call.

    The call holds one of the `slots`, and is cancelled after SECONDS. It is also cancelled when the task that read the
    first chunk ends. The `finally` below is not enough for that: it does not run if the task is cancelled while it
    sends a chunk, because then nothing closes this generator.
    """

    async def run() -> None:
        async with slots, asyncio.timeout(SECONDS):
            await start()

    work, reader = asyncio.ensure_future(run()), asyncio.current_task()
    # Retrieve the error; otherwise asyncio logs it if the reader has gone.
    work.add_done_callback(lambda done: done.cancelled() or done.exception())
    if reader is not None:
        reader.add_done_callback(lambda _: work.cancel())
    try:
        while not (work.done() and chunks.empty()):
            take = asyncio.ensure_future(chunks.get())
            try:
                await asyncio.wait([take, work], return_when=asyncio.FIRST_COMPLETED)
                if take.done():
                    yield take.result()
            finally:
                take.cancel()
        await work
    finally:
        work.cancel()


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
