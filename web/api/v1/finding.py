"""Finds the products of one search of /v1, by shop.search, or lists products by shop.browse."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import State
from sqlalchemy import Connection

from db.functions.constants import MAX_RESULTS
from db.search import ranking
from db.search.details import details
from db.search.highlights import WordPositions, highlights
from db.search.offers import Offer, offers
from db.search.ranking import SearchHit, SearchParams, SearchResult
from db.search.rows import BrowseItem, ExplainStep, Facet
from web.api.attributes import ShownAttributes
from web.api.key_limits import KeyLimits
from web.api.schemas import Explained
from web.api.search import (
    count_search,
    group_by_field,
    group_of,
    new_search_id,
    number,
    picture_of,
    similarity_of,
    skus_of,
    why,
)
from web.api.v1.schemas import COLUMNS, DEFAULT_FIELDS, Found, Hit, ProductSearch
from web.http.context import context_of
from web.http.pool import in_language
from web.http.problems import ApiError

_LISTED = "list."  # the cursor of a list begins with this text, and no cursor of shop.search does
_FACET_VALUES, _RANGES = 20, 8  # the defaults of POST /v1/facets
_TOTAL_FIELD = "availability"


@dataclass(slots=True)
class _Read:
    """What the database returned for one search. `search` is None for a list of products."""

    search: SearchResult | None
    products: Sequence[SearchHit | BrowseItem]
    next: str | None
    total: int | None
    total_is: str | None
    offers: dict[UUID, Offer]
    details: dict[UUID, dict[str, Any]]
    highlights: dict[UUID, WordPositions]
    facets: list[Facet] | None
    steps: list[ExplainStep] | None
    seconds: float
    reason: str | None = None  # why a list is empty


async def find(request: Request[Any, Any, Any], state: State, data: ProductSearch) -> Found:
    """Returns the answer to one search or list. Raises ApiError for a search that is refused, such as one that
    contradicts itself or that the key does not allow."""
    data.check()
    shown = ShownAttributes(state.settings.attributes)
    shown.check(data.filter, data.facets or (), data.sort, data.group_by)
    limits = KeyLimits.of(request)
    limits.check_catalog(data.catalog)
    if data.explain:
        limits.check_explain()
    is_list = data.is_browsing
    data = msgspec.structs.replace(data, image=await _image(state, data))
    params = limits.narrowed(SearchParams(**data.arguments()))
    told = context_of(request.scope)
    told.query_text = params.query
    told.asked = None if is_list else (params.filter, params.catalog)
    columns = [name for name in COLUMNS if name in (data.fields or ())]

    def read(conn: Connection) -> _Read:
        limits.check_products(conn, params.catalog, skus_of(data.inputs))
        began = time.perf_counter()
        found = _listed(conn, params) if is_list else _searched(conn, params)
        found.seconds = time.perf_counter() - began
        ids = [product.product_id for product in found.products]
        found.offers = offers(conn, ids) if ids else {}
        found.details = details(conn, ids, columns) if ids and columns else {}
        if ids and "highlights" in (data.fields or ()):
            corrected = found.search and found.search.corrected
            found.highlights = highlights(conn, corrected or params.query, ids)
        if data.facets:
            found.facets = ranking.facets(conn, params, data.facets, _FACET_VALUES, _RANGES)
        if data.explain:
            found.steps = ranking.explain(conn, params)
        return found

    snapshot = "repeatable read" if data.facets or is_list else None
    found = await state.pools.read(request, partial(in_language, call=read, language=data.language, isolation=snapshot))
    if found.search is not None:
        count_search(state, "v1", found.search, params.k, found.seconds)
    return _answer(found, data.fields or DEFAULT_FIELDS, data.facets or (), shown)


async def _image(state: State, data: ProductSearch) -> bytes | None:
    """Returns the image to search by, which the request gives as bytes or by an address. With `box`, returns only this
    region of the image."""
    image = data.image if data.image_url is None else await state.query_images.read(data.image_url)
    if image is None or data.box is None:
        return image
    box = data.box
    region: bytes = await state.uploads.region(image, (box.left, box.top, box.width, box.height))
    return region


def _searched(conn: Connection, params: SearchParams) -> _Read:
    if (params.after or "").startswith(_LISTED):
        raise ApiError("invalid", "The cursor belongs to another search.")
    found = ranking.search(conn, params)
    return _Read(found, found.rows, found.next, found.total, found.total_is, {}, {}, {}, None, None, 0)


def _listed(conn: Connection, params: SearchParams) -> _Read:
    mark = hashlib.sha256(f"{params.catalog}\n{params.filter}\n{params.sort}".encode()).hexdigest()[:16]
    start = f"{_LISTED}{mark}."
    if params.after is not None and not params.after.startswith(start):
        raise ApiError("invalid", "The cursor belongs to another search.")
    after = None if params.after is None else params.after.removeprefix(start)
    # If k + 1 rows are found, there is a next page. If k is MAX_RESULTS, k + 1 rows cannot be read, so a full page is
    # assumed to have a next page.
    is_largest = params.k == MAX_RESULTS
    rows = ranking.browse(conn, replace(params, after=after, k=params.k if is_largest else params.k + 1), params.sort)
    page = rows[: params.k]
    has_next = len(rows) > params.k or (is_largest and len(rows) == params.k)
    if params.after is None and not has_next:
        total, total_is = len(page), "exact"
    else:
        total, total_is = _count(conn, params)
    reason = None
    if total == 0:  # in the words of shop_private.no_result_reason
        has_products = params.filter and ranking.browse(conn, replace(params, filter=None, after=None, k=1))
        reason = "none matches the filter" if has_products else f"catalog '{params.catalog}' has no products"
    cursor = start + page[-1].cursor if has_next else None
    return _Read(None, page, cursor, total, total_is, {}, {}, {}, None, None, 0, reason)


def _count(conn: Connection, params: SearchParams) -> tuple[int, str]:
    """Returns the number of products that pass the filter, and whether the number is exact."""
    # Each product is counted in one row of the facet on availability, so the sum of these counts is the number of
    # products. A facet ignores the condition on its own field at the top level of a filter, so the filter is put inside
    # `and`.
    whole = None if params.filter is None else '{"and": [' + params.filter + "]}"
    rows = ranking.facets(conn, replace(params, filter=whole), [_TOTAL_FIELD], _FACET_VALUES, _RANGES)
    return sum(row.products for row in rows), "exact" if all(row.exact for row in rows) else "about"


def _answer(found: _Read, fields: Sequence[str], asked: Sequence[str], shown: ShownAttributes) -> Found:
    search = found.search
    return Found(
        search_id=new_search_id(),
        results=[_hit(found, rank, row, fields, shown) for rank, row in enumerate(found.products, 1)],
        total=found.total,
        total_is=found.total_is,  # type: ignore[arg-type]  # exact, about, at least or None
        route=search.route if search else None,  # type: ignore[arg-type]  # shop.search returns no other values
        rows_examined=search.rows_examined if search else None,
        degraded=search is not None and search.degraded,
        reason=search.reason if search else found.reason,
        next=found.next,
        facets=None if found.facets is None else group_by_field(found.facets, asked),
        explain=None
        if found.steps is None
        else [msgspec.convert(step, Explained, from_attributes=True) for step in found.steps],
        corrected=search.corrected if search else None,
        redirect=search.redirect if search else None,
        banner=search.banner if search else None,
    )


def _hit(found: _Read, rank: int, row: SearchHit | BrowseItem, fields: Sequence[str], shown: ShownAttributes) -> Hit:
    ranked = row if isinstance(row, SearchHit) else None
    offer = found.offers.get(row.product_id)
    values: dict[str, Any] = dict(found.details.get(row.product_id, {}))
    if "attributes" in values:
        values["attributes"] = shown.shown(values["attributes"])
    values |= {
        "title": row.title,
        "score": ranked.score if ranked else None,
        "similarity": similarity_of(ranked) if ranked else None,
        "brand": row.brand,
        "product_type": row.product_type,
        "price": number(row.price),
        "effective_price": number(offer.price if offer else row.price),
        "price_before": number(offer.before if offer else None),
        "currency": row.currency,
        "availability": row.availability,
        "color": row.color,
        "link": row.link,
        "picture": picture_of(row.product_id.hex, row.image_uri, row.image_position, row.image_link, row.image_hash),
        "why": why(ranked) if ranked else None,
        "group": group_of(ranked) if ranked else None,
        "highlights": found.highlights.get(row.product_id),
    }
    chosen = {name: values[name] for name in fields if name in values}
    return Hit(rank=ranked.rank if ranked else rank, sku=row.sku, **chosen)
