"""Serves the products that are similar to a product, as a part of its view.

The browser loads the part when the visitor scrolls to its place. So a crawler that reads every view without scrolling
starts no searches. The page's robots.txt forbids the address of the part.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.response import Template
from sqlalchemy import Connection

from db.search import ranking
from db.search.details import has_image_vector
from db.search.offers import Offer, offers
from db.search.ranking import SearchHit, SearchParams
from web.page.cards import cards
from web.page.products.hidden import Hidden, narrowed
from web.page.products.variants import CatalogName, Sku, public_name, row_of
from web.page.rendering import page_headers
from web.page.state import PageState

MOST = 12  # products, which fill whole rows of 2, 3, 4 or 6

_Similar = tuple[str, list[SearchHit], Mapping[UUID, Offer]]  # the catalog, the products, and the offers by product_id


@get("/similar", include_in_schema=False)
async def similar(request: Request[Any, Any, Any], state: State, sku: Sku, catalog: CatalogName = "") -> Template:
    """Return products that look like a product. For a product without an encoded image, return no products."""
    hidden: Hidden = state.page_caches.hidden

    def read(conn: Connection) -> _Similar:
        name = public_name(conn, catalog, state.public_catalogs)
        own = row_of(conn, sku, name, hidden)
        if not has_image_vector(conn, own["product_id"]):
            return name, [], {}
        filter_ = narrowed(None, hidden.conditions(conn, name))
        found = ranking.similar(
            conn, own["sku"], SearchParams(filter=filter_, k=MOST, catalog=name, cut="relevant")
        ).rows
        return name, found, offers(conn, [hit.product_id for hit in found]) if found else {}

    name, found, on_sale = await state.pools.read(request, read)
    context = {"cards": cards(PageState(catalog=name), found, on_sale, {})}
    return Template(template_name="similar.html", context=context, headers=page_headers())
