"""Searching: the request as the arguments of shop.search, its rows as the answer. The ranking is in SQL."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.openapi.spec import Example
from litestar.params import Body, PathParameter, QueryParameter
from sqlalchemy import Connection

from db.search import ranking
from db.search.ranking import ExplainStep, Facet, SearchHit, SearchParams, SearchResult
from web.api.examples import FACETS, FACETS_ASKED, GENERAL, RESULTS, TEXT
from web.api.image_body import ImageBody
from web.api.openapi import KEY, answers
from web.api.schemas import (
    Explained,
    FacetOf,
    Facets,
    FacetsAsked,
    FacetValue,
    GeneralSearch,
    ImageSearch,
    Leg,
    Options,
    Picture,
    Result,
    Results,
    TextSearch,
    Weights,
    Why,
)
from web.http.bodies import decoded, form_as
from web.http.context import context_of
from web.http.problems import ApiError

DEGRADED = "Windowshop-Degraded"
_REFUSALS = ("not-found", "cursor-outdated", "encoder-unavailable", "database-unavailable")
_documented: dict[str, Any] = {
    "status_code": 200,
    "opt": {"scope": "search"},
    "security": KEY,
    "tags": ["Search"],
    "responses": answers(Results, RESULTS, *_REFUSALS),
}


@post("/search/text", **_documented)
async def search_text(
    request: Request[Any, Any, Any],
    state: State,
    data: Annotated[TextSearch, Body(examples=[Example("backpack", value=TEXT)])],
) -> Response[Results]:
    """Search by a text. While none can be encoded, a new one is searched by its keywords, and the answer says so."""
    return await _searched(request, state, "text", data, _asked(data, query=data.query, degrade=True))


@post("/search/image", operation_class=ImageBody, **_documented)
async def search_image(request: Request[Any, Any, Any], state: State) -> Response[Results]:
    """Search by a picture, as a JSON body with base64 or as a multipart form with a part `image`."""
    kind = request.content_type[0]
    if kind == "multipart/form-data":
        data = await form_as(request, ImageSearch, file="image", json=("filter", "weights", "explain"))
    elif kind == "application/json":
        data = decoded(await request.body(), ImageSearch)
    else:
        raise ApiError("media-type", "Send application/json or multipart/form-data.")
    return await _searched(request, state, "image", data, _asked(data, image=data.image))


@post("/search", **_documented)
async def search(
    request: Request[Any, Any, Any],
    state: State,
    data: Annotated[GeneralSearch, Body(examples=[Example("more of one, less of another", value=GENERAL)])],
) -> Response[Results]:
    """Search by texts, pictures, products and vectors together, each with its weight; below 0: less like this."""
    asked = _asked(
        data,
        query=data.query,
        image=data.image,
        inputs=None if data.inputs is None else _json(data.inputs),
        degrade=data.image is None and data.inputs is None,
    )
    return await _searched(request, state, "mixed", data, asked)


@get("/products/{sku:str}/similar", **_documented)
async def similar(
    request: Request[Any, Any, Any],
    state: State,
    sku: Annotated[str, PathParameter(max_length=200, min_length=1)],
    top_k: Annotated[int, QueryParameter(ge=1, le=1000, description="How many results.")] = 10,
    catalog: Annotated[str, QueryParameter(max_length=63)] = "main",
    filter_: Annotated[
        str | None, QueryParameter(name="filter", max_length=100_000, description="A filter, as JSON.")
    ] = None,
    page: Annotated[str | None, QueryParameter(max_length=200, description="`next` of the page before.")] = None,
) -> Response[Results]:
    """Products that look like one; itself is left out."""
    options = Options(
        top_k=top_k,
        catalog=catalog,
        filter=None if filter_ is None else decoded(filter_.encode("utf-8", "replace"), dict[str, Any], name="filter"),
        page=page,
    )
    asked = _asked(options)
    return await _searched(request, state, "similar", options, asked, lambda conn: ranking.similar(conn, sku, asked))


@post("/facets", **{**_documented, "responses": answers(Facets, FACETS, "not-found", "database-unavailable")})
async def facets(
    request: Request[Any, Any, Any],
    state: State,
    data: Annotated[FacetsAsked, Body(examples=[Example("beside a search for bags", value=FACETS_ASKED)])],
) -> Facets:
    """How many products there are of each brand, colour, price range, given a filter. A query does not narrow them."""
    filter_ = None if data.filter is None else _json(data.filter)
    rows = await state.pools.read(
        request,
        lambda conn: ranking.facets(conn, filter_, data.fields, data.catalog, data.limit_values, data.buckets),
    )
    return Facets(by_field(rows))


def by_field(rows: list[Facet]) -> list[FacetOf]:
    found: dict[str, FacetOf] = {}
    for row in rows:
        facet = found.setdefault(row.field, FacetOf(row.field, row.exact, row.note, []))
        low, high = (None if bound is None else float(bound) for bound in (row.low, row.high))
        facet.values.append(FacetValue(row.kind, row.products, row.value, low, high))  # type: ignore[arg-type]
    return list(found.values())


def _asked(options: Options, **what: Any) -> SearchParams:
    weights = options.weights or Weights()
    return SearchParams(
        filter=None if options.filter is None else _json(options.filter),
        k=options.top_k,
        catalog=options.catalog,
        image_weight=weights.image,
        title_weight=weights.title,
        keyword_weight=weights.keyword,
        min_similarity=options.min_similarity,
        max_gap=options.max_gap,
        after=options.page,
        **what,
    )


async def _searched(
    request: Request[Any, Any, Any],
    state: State,
    kind: str,
    options: Options,
    asked: SearchParams,
    run: Callable[[Connection], SearchResult] | None = None,
) -> Response[Results]:
    context_of(request.scope).query_text = asked.query

    def call(conn: Connection) -> tuple[SearchResult, list[ExplainStep] | None, float]:
        began = time.perf_counter()
        found = run(conn) if run else ranking.search(conn, asked)
        seconds = time.perf_counter() - began
        return found, ranking.explain(conn, asked) if options.explain else None, seconds

    found, steps, seconds = await state.pools.read(request, call)
    note(state, kind, found, asked.k, seconds)
    return Response(_results(found, steps, asked.k), headers={DEGRADED: "keywords"} if found.degraded else None)


def note(state: State, kind: str, found: SearchResult, k: int, seconds: float) -> None:
    """Count a search."""
    route = found.rows[0].route if found.rows else "none"
    state.metrics.searches.labels(kind, route).observe(seconds)
    state.metrics.query_cache.labels("hit").inc(found.cache_hits)
    state.metrics.query_cache.labels("miss").inc(found.cache_misses)
    if len(found.rows) < k:
        state.metrics.short.labels(kind).inc()
    if found.degraded:
        state.metrics.degraded.inc()


def _results(found: SearchResult, steps: list[ExplainStep] | None, k: int) -> Results:
    first = found.rows[0] if found.rows else None
    return Results(
        results=[_result(row) for row in found.rows],
        total=None if first is None else first.total,
        total_is=None if first is None else first.total_is,  # type: ignore[arg-type]
        route=None if first is None else first.route,  # type: ignore[arg-type]
        rows_examined=None if first is None else first.rows_examined,
        degraded=found.degraded,
        reason=found.reason,
        next=found.rows[-1].cursor if len(found.rows) == k else None,
        explain=None if steps is None else [msgspec.convert(step, Explained, from_attributes=True) for step in steps],
    )


def _result(row: SearchHit) -> Result:
    return Result(
        rank=row.rank,
        sku=row.sku,
        title=row.title,
        score=row.score,
        brand=row.brand,
        product_type=row.product_type,
        price=None if row.price is None else float(row.price),
        currency=row.currency,
        availability=row.availability,
        color=row.color,
        link=row.link,
        picture=picture(row.product_id.hex, row.image_uri, row.image_position, row.image_link),
        why=Why(
            image=Leg(row.image_rank, distance=row.image_distance, contribution=row.image_contribution),
            title=Leg(row.title_rank, distance=row.title_distance, contribution=row.title_contribution),
            keyword=Leg(row.keyword_rank, score=row.keyword_score, contribution=row.keyword_contribution),
        ),
    )


def picture(product_id: str, uri: str | None, position: int, link: str | None) -> Picture | None:
    """Where a browser gets the picture: from here when it is a file, else from where the feed says."""
    if uri is None:
        return None
    if uri.startswith(("http://", "https://")):
        return Picture(uri, position)
    if uri.startswith(("s3://", "gs://")):
        return None if link is None else Picture(link, position)
    return Picture(f"/images/{product_id}?position={position}", position)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
