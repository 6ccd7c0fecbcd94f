"""Defines the route that completes what a visitor types."""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from litestar.response import Template
from sqlalchemy import Connection

from db.catalog.catalogs import DEFAULT, default_catalog
from db.search import suggestions
from web.api.schemas import MAX_CATALOG
from web.http.problems import ApiError
from web.page.brand.languages import gettext, marked
from web.page.cards import product_address
from web.page.products.hidden import Hidden, visible
from web.page.rendering import page_headers
from web.page.state import PageState

MOST = 8  # suggestions that are shown
_LABELS = {"type": marked("Kind"), "brand": marked("Brand"), "product": marked("Product")}
_FRESH = {"Cache-Control": "private, max-age=60"}  # a visitor who deletes a letter asks for the same suggestions again


@dataclass(frozen=True, slots=True)
class Option:
    """A suggestion. `label` says what it is, and is empty for a query. `address` is the page to which it leads. A query
    has no address, because the search form searches for the text of the query together with the filters."""

    text: str
    label: str
    address: str | None


@get("/suggestions", include_in_schema=False)
async def suggested(
    request: Request[Any, Any, Any],
    state: State,
    q: Annotated[str, QueryParameter(max_length=1000)] = "",
    catalog: Annotated[str, QueryParameter(max_length=MAX_CATALOG)] = "",
) -> Template:
    """Return what shop.suggest suggests for a text, without hidden products, as options of a list box."""

    hidden: Hidden = state.page_caches.hidden

    def read(conn: Connection) -> list[Option]:
        public = state.public_catalogs
        name = catalog or default_catalog(conn, public)
        if public is not None and name not in public:
            raise ApiError("not-found", "This page shows no such catalog.")
        rows = suggestions.suggest(conn, q.replace("\0", ""), name or DEFAULT, MOST)
        conditions, skus = hidden.conditions(conn, name or DEFAULT), [row.sku for row in rows if row.sku is not None]
        if conditions and skus:
            seen = visible(conn, name or DEFAULT, skus, conditions)
            rows = [row for row in rows if row.sku is None or row.sku in seen]
        return [Option(row.text, _label(row.kind), _address(row, name or DEFAULT)) for row in rows]

    options = await state.pools.read(request, read)
    return Template(template_name="suggestions.html", context={"options": options}, headers=page_headers() | _FRESH)


def _label(kind: str) -> str:
    return gettext(_LABELS[kind]) if kind in _LABELS else ""


def _address(row: suggestions.Suggestion, catalog: str) -> str | None:
    shop = PageState(catalog=catalog)
    if row.kind == "query":
        return None
    if row.kind == "product":
        return product_address(row.sku or "", catalog)
    return shop.with_values("product_type" if row.kind == "type" else "brand", [row.text]).address()
