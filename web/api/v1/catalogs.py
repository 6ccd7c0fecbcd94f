"""Lists the catalogs and deletes a catalog."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, delete, get
from litestar.datastructures import State
from litestar.params import PathParameter
from msgspec import Meta
from sqlalchemy import Connection

from db.catalog import catalogs
from web.api.key_limits import KeyLimits
from web.api.openapi import KEY, KEYED, REPEATABLE, answers
from web.api.schemas import MAX_CATALOG
from web.http.idempotency import IDEMPOTENT
from web.http.problems import ApiError

_PRODUCTS = 1000  # the most products that one transaction deletes
_OTHERS = 10_000  # the most rows of each other table that one transaction deletes


class CatalogOut(msgspec.Struct):
    """A catalog and the number of its products. With many products, the numbers are estimates."""

    catalog: str
    language: Annotated[str, Meta(description="The text search configuration of its keywords.")]
    products: int
    searchable: Annotated[int, Meta(description="Products whose title and first image are encoded.")]
    waiting: Annotated[int, Meta(description="Products of which the title or the first image waits for an encoder.")]
    quarantined: Annotated[int, Meta(description="Products whose title or first image cannot be encoded.")]
    counts_are: Literal["exact", "about"]


class Catalogs(msgspec.Struct):
    catalogs: list[CatalogOut]


class DeletedCatalog(msgspec.Struct):
    deleted: Annotated[int, Meta(description="Number of products that this request deleted.")]
    more: Annotated[
        bool,
        Meta(
            description="Whether the catalog may still have rows. The same request, with another Idempotency-Key, "
            "deletes the next rows."
        ),
    ]


@get(
    "/catalogs",
    operation_id="listCatalogs",
    opt={"scope": "search", "strict": True},
    security=KEY,
    tags=["Catalogs"],
    responses=answers(Catalogs, *KEYED),
)
async def list_catalogs(request: Request[Any, Any, Any], state: State) -> Catalogs:
    """List the catalogs that the key allows. A key with a filter gets a 403, because the numbers count all products."""
    limits = KeyLimits.of(request)
    limits.check_counts()
    rows = await state.pools.read(request, catalogs.overview)
    shown = [msgspec.convert(row, CatalogOut, from_attributes=True) for row in rows]
    return Catalogs([row for row in shown if limits.allows_catalog(row.catalog)])


@delete(
    "/catalogs/{catalog:str}",
    operation_id="deleteCatalog",
    opt={"scope": "write", "strict": True, IDEMPOTENT: True},
    status_code=200,
    security=KEY,
    tags=["Catalogs"],
    responses=answers(DeletedCatalog, *KEYED, *REPEATABLE, "not-found"),
)
async def delete_catalog(
    request: Request[Any, Any, Any],
    state: State,
    catalog: Annotated[str, PathParameter(min_length=1, max_length=MAX_CATALOG)],
) -> DeletedCatalog:
    """Delete a catalog with its products, judgements, evaluations, events, synonyms, rules and watches. A large catalog
    takes several requests: while `more` is true, send the request again, with another Idempotency-Key."""
    KeyLimits.of(request).check_catalog(catalog)
    clock = asyncio.get_running_loop()
    end, deleted = clock.time() + state.settings.deadline_ms / 2000, 0
    if not await state.pools.write(request, lambda conn: catalogs.is_known(conn, catalog)):
        raise ApiError("not-found", f"There is no catalog {catalog[:80]}.")

    def delete_products(conn: Connection) -> int:
        return catalogs.delete_products(conn, catalog, _PRODUCTS)

    def delete_others(conn: Connection) -> int:
        return catalogs.delete_others(conn, catalog, _OTHERS)

    while rows := await state.pools.write(request, delete_products):
        deleted += rows
        if clock.time() > end:
            return DeletedCatalog(deleted, more=True)
    while await state.pools.write(request, delete_others):
        if clock.time() > end:
            return DeletedCatalog(deleted, more=True)
    await state.pools.write(request, lambda conn: catalogs.forget(conn, catalog, []))
    return DeletedCatalog(deleted, more=False)
