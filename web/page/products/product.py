"""Defines the view of one product: images, texts, variants, and the data for search engines. Also records that a
visitor opened the view from a search."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from markupsafe import Markup
from sqlalchemy import Connection

from web.api.search import picture_of
from web.page.brand import visit
from web.page.brand.languages import gettext, marked, money
from web.page.cards import product_address, similar_address
from web.page.formatting import label
from web.page.products.hidden import Hidden
from web.page.products.variants import CatalogName, Sku, Variants, public_name, read_variants, row_of
from web.page.rendering import context, show_error, unchanged_or
from web.page.state import PageState

_SCHEMA = "https://schema.org/"
_AVAILABILITY = {
    "in_stock": "InStock", "out_of_stock": "OutOfStock", "preorder": "PreOrder", "backorder": "BackOrder"
}  # fmt: skip
_FACTS = {
    "color": marked("Colour"), "size": marked("Size"), "material": marked("Material"),
    "condition": marked("Condition"), "product_type": marked("Kind")
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Read:
    catalog: str
    row: Mapping[str, Any]
    variants: Variants


@get("/product", include_in_schema=False, exception_handlers={Exception: show_error})
async def product(request: Request[Any, Any, Any], state: State, sku: Sku, catalog: CatalogName = "") -> Response[Any]:
    hidden: Hidden = state.page_caches.hidden
    found = await state.pools.read(request, lambda conn: _read(conn, sku, catalog, state.public_catalogs, hidden))
    if state.recorder:
        state.recorder.clicked(request.scope, found.catalog, found.row["sku"], request.query_params.get("from", ""))
    return unchanged_or(request, "product.html", _context(found))


def _read(conn: Connection, sku: str, catalog: str, public_catalogs: list[str] | None, hidden: Hidden) -> _Read:
    name = public_name(conn, catalog, public_catalogs)
    row = row_of(conn, sku, name, hidden)
    return _Read(name, row, read_variants(conn, row, name, None, hidden=hidden.conditions(conn, name)))


def _context(found: _Read) -> dict[str, Any]:
    row, state = found.row, PageState(catalog=found.catalog)
    pictures = _pictures(row)
    link = row["link"] if (row["link"] or "").startswith(("http://", "https://")) else None
    own = product_address(row["sku"], found.catalog)
    return context(state, None) | {
        "title": row["title"],
        "brand": row["brand"],
        "description": row["description"],
        "price": money(row["effective_price"], row["currency"]),
        "before": money(row["price_before"], row["currency"]),
        "availability": label(row["availability"]) if row["availability"] else None,
        "facts": [(gettext(name), row[column]) for column, name in _FACTS.items() if row[column]],
        "pictures": pictures,
        "link": link,
        "like": state.but(like=(row["sku"],)).address(),
        "own": own,
        "here": own,
        "variants": found.variants,
        "similar": similar_address(row["sku"], found.catalog),
        "json_ld": _json_ld(row, [visit.absolute(one) for one in pictures], link or visit.absolute(own)),
    }


def _pictures(row: Mapping[str, Any]) -> list[str]:
    identity = row["product_id"].hex
    found = (picture_of(identity, uri, position, row["image_link"], hash_) for position, uri, hash_ in row["images"])
    return [one.url for one in found if one is not None and one.url.startswith(("/", "https://"))]


def _json_ld(row: Mapping[str, Any], images: list[str], url: str) -> Markup:
    """Returns the product in the vocabulary of schema.org, as JSON that may stand inside a script element."""
    offer = {
        "@type": "Offer",
        "price": None if row["effective_price"] is None else str(row["effective_price"]),
        "priceCurrency": row["currency"],
        "availability": f"{_SCHEMA}{_AVAILABILITY[row['availability']]}" if row["availability"] else None,
        "url": url,
    }
    rating = {"@type": "AggregateRating", "ratingValue": str(row["rating"]), "reviewCount": row["review_count"]}
    data = {
        "@context": _SCHEMA,
        "@type": "Product",
        "name": row["title"],
        "sku": row["sku"],
        "image": images or None,
        "description": row["description"],
        "brand": {"@type": "Brand", "name": row["brand"]} if row["brand"] else None,
        "gtin": row["gtin"],
        "mpn": row["mpn"],
        "color": row["color"],
        "size": row["size"],
        "material": row["material"],
        "inProductGroupWithID": row["item_group_id"],
        "offers": _given(offer) if row["effective_price"] is not None and row["currency"] else None,
        "aggregateRating": rating if row["rating"] and row["review_count"] else None,
    }
    return Markup(msgspec.json.encode(_given(data)).decode().replace("<", "\\u003c"))


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
