"""Defines the routes of searches and facets. A route passes the options of a request to an SQL function such as
shop.search, and returns the rows of the result."""

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter, QueryParameter
from sqlalchemy import Connection

from db.functions.constants import MAX_RESULTS, MAX_SORT, MAX_TEXT
from db.search import ranking
from db.search.offers import Offer, offers
from db.search.ranking import SearchHit, SearchParams, SearchResult
from db.search.rows import ExplainStep, Facet
from web.api.attributes import ShownAttributes
from web.api.facet_schemas import FacetOf, Facets, FacetsAsked, FacetValue
from web.api.image_body import ImageAsForm, ImageAsJson
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, answers
from web.api.schemas import (
    MAX_CATALOG,
    MAX_CURSOR,
    MAX_SKU,
    ChangeableSearch,
    Explained,
    GeneralSearch,
    ImageSearch,
    Input,
    Leg,
    Options,
    Picture,
    Result,
    Results,
    TextSearch,
    VariantGroup,
    Why,
)
from web.http.addresses import address, sku_in
from web.http.bodies import decoded, decoded_aside, form_as
from web.http.context import context_of
from web.http.pool import in_language
from web.http.problems import ApiError

DEGRADED = "Windowshop-Degraded"
# Characters. Many take three bytes or more in an address, of which uvicorn's parser reads at most 65,535 bytes.
MAX_FILTER = 60_000
FILTER = "A filter, as JSON. The whole address of a request may have 65,535 bytes."
REFUSALS = (*KEYED, "not-found", "cursor-outdated", "encoder-unavailable")
_documented: dict[str, Any] = {
    "status_code": 200,
    "opt": {"scope": "search", "strict": True},
    "security": KEY,
    "tags": ["Search"],
    "responses": answers(Results, *BODY, *REFUSALS),
}


@post("/search/text", operation_id="searchText", **_documented)
async def search_text(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[TextSearch],
) -> Response[Results]:
    """Search by a text. If no encoder runs, a new text is searched by its keywords, and `degraded` is true."""
    return await _respond(request, state, "text", data, ())


@post("/search/image", operation_id="searchImage", operation_class=ImageAsJson, **_documented)
async def search_image(request: Request[Any, Any, Any], state: State) -> Response[Results]:
    """Search by an image in base64. This address also takes the form of `searchImageFile`."""
    if request.content_type[0] == "multipart/form-data":
        return await _search_by_form(request, state)
    if request.content_type[0] != "application/json":
        raise ApiError("media-type", "Send application/json or multipart/form-data.")
    return await _respond(request, state, "image", await decoded_aside(await request.body(), ImageSearch), ())


@post("/search/image/file", operation_id="searchImageFile", operation_class=ImageAsForm, **_documented)
async def search_image_file(request: Request[Any, Any, Any], state: State) -> Response[Results]:
    """Search by an image file, as a form. The part `image` is the file, the parts `filter`, `weights` and `signals` are
    JSON, and the others are plain texts."""
    if request.content_type[0] != "multipart/form-data":
        raise ApiError("media-type", "Send multipart/form-data.")
    return await _search_by_form(request, state)


async def _search_by_form(request: Request[Any, Any, Any], state: State) -> Response[Results]:
    data = await form_as(request, ImageSearch, file="image", json=("filter", "weights", "signals"))
    return await _respond(request, state, "image", data, ())


@post("/search", operation_id="search", **_documented)
async def search(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[GeneralSearch],
) -> Response[Results]:
    """Search by texts, images, products and vectors together. What resembles an input of negative weight ranks low."""
    return await _respond(request, state, "mixed", data, skus_of(data.inputs))


@get(
    "/products/{sku:str}/similar",
    operation_id="similarProducts",
    **{**_documented, "responses": answers(Results, *REFUSALS)},
)
async def similar(
    request: Request[Any, Any, Any],
    state: State,
    sku: Annotated[str, PathParameter(max_length=MAX_SKU, min_length=1)],
    top_k: Annotated[int, QueryParameter(ge=1, le=MAX_RESULTS, description="Number of results.")] = 10,
    catalog: Annotated[str, QueryParameter(max_length=MAX_CATALOG)] = "main",
    filter_: Annotated[str | None, QueryParameter(name="filter", max_length=MAX_FILTER, description=FILTER)] = None,
    cut: Annotated[
        Literal["relevant"] | None, QueryParameter(description="`relevant` excludes products that are not similar.")
    ] = None,
    page: Annotated[
        str | None, QueryParameter(max_length=MAX_CURSOR, description="`next` of the previous page's answer.")
    ] = None,
    change: Annotated[
        str | None,
        QueryParameter(
            min_length=1, max_length=MAX_TEXT, description="How the results should differ, such as `but red`."
        ),
    ] = None,
    sort: Annotated[
        str | None,
        QueryParameter(
            min_length=1, max_length=MAX_SORT, description="Fields and signals by which the results are sorted."
        ),
    ] = None,
    group_by: Annotated[
        str | None, QueryParameter(max_length=1011, description="A field: return one result for each value.")
    ] = None,
    diversity: Annotated[
        float | None, QueryParameter(ge=0, le=1, description="Above 0, the first products look less alike.")
    ] = None,
) -> Response[Results]:
    """Return products that look like the given product, without that product itself."""
    sku = sku_in(sku)
    options = ChangeableSearch(
        top_k=top_k,
        catalog=catalog,
        filter=None if filter_ is None else decoded(filter_.encode("utf-8", "replace"), dict[str, Any], name="filter"),
        cut=cut,
        page=page,
        change=change,
        sort=sort,
        group_by=group_by,
        diversity=diversity,
    )

    def run(conn: Connection, params: SearchParams) -> SearchResult:
        return ranking.similar(conn, sku, params)

    return await _respond(request, state, "similar", options, (sku,), run)


@post(
    "/facets",
    operation_id="countFacets",
    **{**_documented, "responses": answers(Facets, *BODY, *KEYED, "not-found", "encoder-unavailable")},
)
async def facets(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[FacetsAsked],
) -> Facets:
    """Count the products of each brand, colour or price range that pass a filter. The words of a query narrow the
    counts only with `cut`."""
    ShownAttributes(state.settings.attributes).check(data.filter, data.fields)
    limits = KeyLimits.of(request)
    limits.check_catalog(data.catalog)
    params = limits.narrowed(SearchParams(**data.arguments()))

    def call(conn: Connection) -> list[Facet]:
        limits.check_products(conn, data.catalog, skus_of(data.inputs))
        return ranking.facets(conn, params, data.fields, data.limit_values, data.buckets)

    rows = await state.pools.read(request, partial(in_language, language=data.language, call=call))
    return Facets(group_by_field(rows, data.fields))


def group_by_field(rows: list[Facet], asked: Sequence[str]) -> list[FacetOf]:
    """Returns the counts of each field that was asked for. A field without products has an empty list of counts."""
    all_exact = all(row.exact for row in rows)
    found = {field: FacetOf(field, all_exact, None, []) for field in asked}
    for row in rows:
        facet = found[row.field]
        facet.exact, facet.note = row.exact, row.note
        low, high = (None if bound is None else float(bound) for bound in (row.low, row.high))
        kind: Any = row.kind  # one of the four kinds in FacetValue
        is_text = row.value_json is None or row.value_json.startswith('"')
        value = row.value if is_text else _raw(row.value_json)
        facet.values.append(FacetValue(kind, row.products, value, low, high, row.currency, _raw(row.row_filter)))
    return list(found.values())


def _raw(json: str | None) -> msgspec.Raw | None:
    """Returns the JSON text from PostgreSQL without decoding it, so that no number loses a digit."""
    return None if json is None else msgspec.Raw(json.encode())


def skus_of(inputs: Sequence[Input] | None) -> list[str]:
    """Returns the SKUs in the inputs of a search."""
    return [] if inputs is None else [one.sku for one in inputs if one.sku is not None]


async def _respond(
    request: Request[Any, Any, Any],
    state: State,
    kind: str,
    options: Options,
    skus: Sequence[str],
    run: Callable[[Connection, SearchParams], SearchResult] = ranking.search,
) -> Response[Results]:
    ShownAttributes(state.settings.attributes).check(options.filter, (), options.sort, options.group_by)
    limits = KeyLimits.of(request)
    limits.check_catalog(options.catalog)
    if options.explain:
        limits.check_explain()
    params = limits.narrowed(SearchParams(**options.arguments()))
    if run is ranking.search and not any(((params.query or "").strip(), params.image is not None, params.inputs)):
        raise ApiError("invalid", "There is nothing to search for. Give a query, an image or inputs.")
    told = context_of(request.scope)
    told.query_text = params.query
    told.asked = params.filter, params.catalog

    def call(conn: Connection) -> tuple[SearchResult, dict[UUID, Offer], list[ExplainStep] | None, float]:
        limits.check_products(conn, params.catalog, skus)
        began = time.perf_counter()
        found = run(conn, params)
        seconds = time.perf_counter() - began
        on_sale = offers(conn, [row.product_id for row in found.rows]) if found.rows else {}
        return found, on_sale, ranking.explain(conn, params) if options.explain else None, seconds

    found, on_sale, steps, seconds = await state.pools.read(
        request, partial(in_language, language=options.language, call=call)
    )
    count_search(state, kind, found, params.k, seconds)
    return Response(_results(found, on_sale, steps), headers={DEGRADED: "keywords"} if found.degraded else None)


def count_search(state: State, kind: str, found: SearchResult, k: int, seconds: float) -> None:
    state.metrics.searches.labels(kind, found.route or "none").observe(seconds)
    for leg in found.legs:
        state.metrics.legs.labels(leg.leg, leg.route).observe(leg.seconds)
    state.metrics.query_cache.labels("hit").inc(found.cache_hits)
    state.metrics.query_cache.labels("miss").inc(found.cache_misses)
    if len(found.rows) < k:
        state.metrics.short.labels(kind).inc()
    if found.degraded:
        state.metrics.degraded.inc()


def _results(found: SearchResult, on_sale: Mapping[UUID, Offer], steps: list[ExplainStep] | None) -> Results:
    return Results(
        search_id=new_search_id(),
        results=[_result(row, on_sale.get(row.product_id)) for row in found.rows],
        total=found.total,
        total_is=found.total_is,  # type: ignore[arg-type]  # shop.search returns no other values
        route=found.route,  # type: ignore[arg-type]  # shop.search returns no other values
        rows_examined=found.rows_examined,
        degraded=found.degraded,
        reason=found.reason,
        next=found.next,
        explain=None if steps is None else [msgspec.convert(step, Explained, from_attributes=True) for step in steps],
        corrected=found.corrected,
        redirect=found.redirect,
        banner=found.banner,
    )


def _result(row: SearchHit, offer: Offer | None) -> Result:
    return Result(
        rank=row.rank,
        sku=row.sku,
        title=row.title,
        score=row.score,
        brand=row.brand,
        product_type=row.product_type,
        price=number(row.price),
        effective_price=number(offer.price if offer else row.price),
        price_before=number(offer.before if offer else None),
        currency=row.currency,
        availability=row.availability,
        color=row.color,
        link=row.link,
        picture=picture_of(row.product_id.hex, row.image_uri, row.image_position, row.image_link, row.image_hash),
        why=why(row),
        similarity=similarity_of(row),
        group=group_of(row),
    )


def group_of(row: SearchHit) -> VariantGroup | None:
    if row.group_products is None:
        return None
    return VariantGroup(row.group_value, row.group_products, number(row.group_low), number(row.group_high))


def why(row: SearchHit) -> Why:
    return Why(
        image=Leg(row.image_rank, distance=row.image_distance, contribution=row.image_contribution),
        title=Leg(row.title_rank, distance=row.title_distance, contribution=row.title_contribution),
        keyword=Leg(row.keyword_rank, score=row.keyword_score, contribution=row.keyword_contribution),
        exact_match=row.exact_match,  # type: ignore[arg-type]  # shop.search returns no other values
        shop_ranking=row.shop_ranking,
        rules=row.rules,
    )


def similarity_of(row: SearchHit) -> float | None:
    """Returns the cosine similarity of query and image, between 0 and 1. Returns None if the row has no
    `image_distance`. With `sort`, a product that the image leg did not find has one too (see sorted_page.sql)."""
    return None if row.image_distance is None else round(min(1.0, max(0.0, 1 - row.image_distance)), 4)


def new_search_id() -> str:
    return uuid4().hex


def number(price: Decimal | None) -> float | None:
    return None if price is None else float(price)


def picture_of(
    product_id: str, uri: str | None, position: int, link: str | None, image_hash: str | None
) -> Picture | None:
    """Returns the address from which a browser loads the image, or None if there is no such address.

    This service serves image files. Their addresses contain a hash of the content, if the hash is known. An image on
    the web has its own address. For an image in an object store, the browser gets the image link of the feed, if the
    feed has one.
    """
    if uri is None:
        return None
    if uri.startswith(("http://", "https://")):
        return Picture(uri, position)
    if uri.startswith(("s3://", "gs://")):
        return None if link is None else Picture(link, position)
    version = f"&v={image_hash}" if image_hash else ""
    return Picture(address(f"/images/{product_id}?position={position}{version}"), position)
