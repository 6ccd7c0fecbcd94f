"""Lists the variants of a product: the products with the same item_group_id.

Below a card, these are the variants that the card counts, which pass the filters and the cut of the search. The view of
a product lists its variants without a search. Each list has at most MOST variants.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from litestar.response import Template
from sqlalchemy import Connection

from db.catalog import store
from db.catalog.catalogs import DEFAULT, default_catalog
from db.search import ranking
from db.search.details import details
from db.search.offers import offers
from db.search.ranking import SearchHit, SearchParams
from db.search.rows import BrowseItem
from web.api.products import no_product
from web.api.schemas import MAX_CATALOG, MAX_SKU
from web.http.problems import ApiError
from web.page.brand.languages import gettext, money, number
from web.page.cards import image_address, product_address
from web.page.products.hidden import Conditions, Hidden
from web.page.rendering import page_headers, wanted_by
from web.page.state import PageState

LISTED, BELOW_CARD = 24, 8  # variants that are visible before "more" is opened; "more" holds at least two variants
MOST = 100
_ORIGIN = re.compile(r"[0-9a-f]{32}\.[0-9]{1,6}")

Sku = Annotated[str, QueryParameter(min_length=1, max_length=MAX_SKU)]
CatalogName = Annotated[str, QueryParameter(max_length=MAX_CATALOG)]


@dataclass(frozen=True, slots=True)
class Variant:
    label: str  # what is special about the variant, such as "red, M"
    address: str
    image: str | None
    price: str | None
    is_this: bool


@dataclass(frozen=True, slots=True)
class Variants:
    """`listed` has the variants that a visitor sees at once, and `rest` has the others. `beyond` is a text that says
    that there are more than MOST."""

    listed: list[Variant]
    rest: list[Variant]
    beyond: str | None


@get("/variants", include_in_schema=False)
async def variants(request: Request[Any, Any, Any], state: State, sku: Sku, catalog: CatalogName = "") -> Template:
    """Return the variants that a card counts, which replace the card's link to them. The address has the parameters of
    the search."""
    wanted = wanted_by(request)
    given = request.query_params.get("from", "")
    origin = given if _ORIGIN.fullmatch(given) else ""
    image = await state.uploads.part(wanted.image, wanted.box)

    def read(conn: Connection) -> Variants:
        name = public_name(conn, catalog, state.public_catalogs)
        hidden: Hidden = state.page_caches.hidden
        search = replace(wanted, catalog=name, image=wanted.image if image else "")
        row = row_of(conn, sku, name, hidden)
        return read_variants(conn, row, name, search, image, origin, hidden=hidden.conditions(conn, name))

    context = {"variants": await state.pools.read(request, read)}
    return Template(template_name="variants.html", context=context, headers=page_headers())


def public_name(conn: Connection, catalog: str, public_catalogs: list[str] | None) -> str:
    """Returns the catalog, or the default one for an empty name. Raises ApiError for a catalog that is not public."""
    name = catalog or default_catalog(conn, public_catalogs) or DEFAULT
    if public_catalogs is not None and name not in public_catalogs:
        raise ApiError("not-found", "This page shows no such catalog.")
    return name


def row_of(conn: Connection, sku: str, catalog: str, hidden: Hidden) -> Mapping[str, Any]:
    """Returns the product. Raises ApiError if there is none, or a rule hides it."""
    row = store.read_product(conn, sku.replace("\0", ""), catalog)
    if row is None or hidden.hides(conn, catalog, row["sku"]):
        raise no_product(conn, catalog)
    return row


def read_variants(
    conn: Connection,
    row: Mapping[str, Any],
    catalog: str,
    search: PageState | None,
    image: bytes | None = None,
    origin: str = "",
    *,
    hidden: Conditions,
) -> Variants:
    """Returns the variants of the product `row`, the product itself first; none without an item_group_id. With
    `search`, returns only the variants that the search finds. `origin` becomes a part of the variants' addresses, as in
    `product_address`."""
    if row["item_group_id"] is None:
        return Variants([], [], None)
    chosen = msgspec.json.decode(search.filter) if search and search.filter else {}
    filter_ = msgspec.json.encode({**chosen, "item_group_id": [row["item_group_id"]], **hidden}).decode()
    params = SearchParams(filter=filter_, k=MOST + 1, catalog=catalog)
    rows: Sequence[SearchHit | BrowseItem]
    if search is not None and search.is_search:
        query = search.q or None
        params = replace(
            params,
            query=query,
            image=image,
            inputs=search.inputs,
            cut=search.cut,
            correct=search.correct,
            degrade=bool(query),
        )
        rows = ranking.search(conn, params).rows
    else:
        rows = ranking.browse(conn, params)
        if all(one.sku != row["sku"] for one in rows):
            own = msgspec.json.encode({"and": [msgspec.json.decode(filter_), {"sku": [row["sku"]]}]}).decode()
            rows = [*ranking.browse(conn, replace(params, filter=own)), *rows]
    return _arranged(conn, rows, row["sku"], catalog, origin, LISTED if search is None else BELOW_CARD)


def _arranged(
    conn: Connection, rows: Sequence[SearchHit | BrowseItem], sku: str, catalog: str, origin: str, most: int
) -> Variants:
    ids = [row.product_id for row in rows]
    special, on_sale = details(conn, ids, ("color", "size", "material")), offers(conn, ids)
    found = []
    for row in rows:
        named = ", ".join(str(value) for value in special.get(row.product_id, {}).values() if value)
        offer = on_sale.get(row.product_id)
        price = money(offer.price if offer else row.price, row.currency)
        where = product_address(row.sku, catalog, origin)
        found.append(Variant(named or row.title, where, image_address(row), price, row.sku == sku))
    found.sort(key=lambda variant: (not variant.is_this, _natural(variant.label)))
    cut = most if len(found) > most + 1 else len(found)
    beyond = None
    if len(found) > MOST:
        beyond = gettext("Only the first %(count)s variants are listed.") % {"count": number(MOST)}
    return Variants(found[:cut], found[cut:MOST], beyond)


def _natural(label: str) -> list[tuple[int, int, str]]:
    """Returns the key of an order in which 9 comes before 10."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
        for part in re.findall(r"[0-9]{1,9}|[^0-9]+", label)
    ]
