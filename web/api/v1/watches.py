"""Creates, lists and deletes watches, and reads their matches. A watch is a stored search; its new matches are
reported."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta
from sqlalchemy import Connection

from db.functions.watch_constants import MAX_WATCHES
from db.search import watches
from web.api.attributes import ShownAttributes
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, REPEATABLE, answers
from web.api.products import CatalogInQuery
from web.api.schemas import Catalog, Text
from web.http.idempotency import IDEMPOTENT
from web.http.problems import ApiError

_MATCHES = 1_000  # the largest number of matches of one answer
_LAST_MATCH = 2**63 - 1
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$", description="Unique in its catalog.")]
NameInPath = Annotated[str, PathParameter(min_length=1, max_length=100)]


class WatchIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A text, an image, a filter, or several of them. With `min_similarity`, an image of a product must have at least
    this cosine similarity to the text and the image of the watch."""

    name: Name
    query: Text | None = None
    image: Annotated[bytes | None, Meta(description="An image file in base64, at most 1 MB.")] = None
    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    catalog: Catalog = "main"
    min_similarity: Annotated[float, Meta(ge=-1, le=1)] | None = None


class WatchOut(msgspec.Struct):
    name: str
    catalog: str
    query: str | None
    has_image: bool
    filter: dict[str, Any] | None
    min_similarity: float | None
    created_at: datetime
    disabled_at: Annotated[
        datetime | None, Meta(description="When the watch stopped being compared; null while it is in use.")
    ]
    error: Annotated[str | None, Meta(description="Why the watch is disabled.")]


class Watches(msgspec.Struct):
    watches: list[WatchOut]


class MatchOut(msgspec.Struct):
    match: Annotated[int, Meta(description="Ascends in the order in which the matches of the watch are stored.")]
    sku: str
    title: str
    image_similarity: Annotated[
        float | None, Meta(description="Similarity of the nearest image; null if it is too low for a match.")
    ]
    title_similarity: Annotated[
        float | None, Meta(description="Similarity of the title; null if it is too low for a match.")
    ]
    matched_at: datetime


class Matches(msgspec.Struct):
    matches: list[MatchOut]
    next: Annotated[
        int,
        Meta(description="Send it as `after`, now or later, for the next matches. No match is missed or repeated."),
    ]


_route: dict[str, Any] = {"security": KEY, "tags": ["Watches"]}
_READS: dict[str, Any] = {"scope": "write", "strict": True}  # a watch may tell what a customer looks for
_WRITES: dict[str, Any] = {**_READS, IDEMPOTENT: True}


@post(
    "/watches",
    operation_id="createWatch",
    opt=_WRITES,
    responses=answers(WatchOut, *BODY, *KEYED, *REPEATABLE, "not-found", "encoder-unavailable", status=201),
    **_route,
)
async def create_watch(request: Request[Any, Any, Any], state: State, data: JSONBody[WatchIn]) -> WatchOut:
    """Create a watch. Products that become searchable from now on are compared with it."""
    KeyLimits.of(request).check_catalog(data.catalog)
    ShownAttributes(state.settings.attributes).check(data.filter)
    filter_ = None if data.filter is None else msgspec.json.encode(data.filter).decode()

    def write(conn: Connection) -> WatchOut:
        watches.add(
            conn,
            data.name,
            query=data.query,
            image=data.image,
            filter_=filter_,
            catalog=data.catalog,
            min_similarity=data.min_similarity,
        )
        return _shown(watches.find(conn, data.name, data.catalog))

    created: WatchOut = await state.pools.write(request, write)
    return created


@get("/watches", operation_id="listWatches", opt=_READS, responses=answers(Watches, *KEYED), **_route)
async def list_watches(request: Request[Any, Any, Any], state: State, catalog: CatalogInQuery = "main") -> Watches:
    """List the watches of a catalog, in the order of their names."""
    KeyLimits.of(request).check_catalog(catalog)
    rows = await state.pools.read(request, lambda conn: watches.listed(conn, catalog, rows=MAX_WATCHES))
    return Watches([_shown(row) for row in rows])


@delete(
    "/watches/{name:str}",
    operation_id="deleteWatch",
    opt=_WRITES,
    status_code=204,
    responses=answers(None, *KEYED, *REPEATABLE, "not-found", status=204),
    **_route,
)
async def delete_watch(
    request: Request[Any, Any, Any], state: State, name: NameInPath, catalog: CatalogInQuery = "main"
) -> None:
    """Delete a watch with its matches."""
    KeyLimits.of(request).check_catalog(catalog)
    if not await state.pools.write(request, lambda conn: watches.remove(conn, name, catalog)):
        raise ApiError("not-found", "There is no such watch in this catalog.")


@get(
    "/watches/{name:str}/matches",
    operation_id="listMatches",
    opt=_READS,
    responses=answers(Matches, *KEYED, "not-found"),
    **_route,
)
async def list_matches(
    request: Request[Any, Any, Any],
    state: State,
    name: NameInPath,
    catalog: CatalogInQuery = "main",
    after: Annotated[int, QueryParameter(ge=0, le=_LAST_MATCH)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=_MATCHES)] = 100,
) -> Matches:
    """List the products that a watch has found after the match `after`, the oldest first."""
    KeyLimits.of(request).check_catalog(catalog)

    def read(conn: Connection) -> Matches:
        if watches.find(conn, name, catalog) is None:
            raise ApiError("not-found", "There is no such watch in this catalog.")
        found = watches.matches(conn, name, catalog, after=after, rows=limit)
        rows = [
            MatchOut(one.match_id, one.sku, one.title, one.image_similarity, one.title_similarity, one.matched_at)
            for one in found
        ]
        return Matches(rows, rows[-1].match if rows else after)

    listed: Matches = await state.pools.read(request, read)
    return listed


def _shown(watch: watches.Watch | None) -> WatchOut:
    assert watch is not None  # the same transaction has created it
    return WatchOut(
        watch.name,
        watch.catalog,
        watch.query,
        watch.has_image,
        None if watch.filter is None else msgspec.json.decode(watch.filter),
        watch.min_similarity,
        watch.created_at,
        watch.disabled_at,
        watch.error,
    )
