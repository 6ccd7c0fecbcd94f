"""Defines the routes that read, write and delete products. db/catalog/validation.py checks products for these routes
and for the loader."""

import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, put
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from db.catalog import catalogs
from db.catalog import store as db_catalog
from db.catalog.image_paths import AddressesOnly, ImageRoot
from db.catalog.offer import PRICES
from db.catalog.prices import AMBIGUOUS
from db.catalog.private_attributes import PublicAttributes
from db.catalog.product import Product, RawProduct
from db.catalog.validation import validate
from db.errors import StatementRefused
from web.api.attributes import ShownAttributes
from web.api.batches import Refused, read_items
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, REPEATABLE, UNCHANGED, answers
from web.api.product_in import ProductIn, ProductsIn, raw_products, shown_sku
from web.api.schemas import MAX_CATALOG, MAX_SKU, EffectivePrice, Picture, PriceBefore
from web.api.search import picture_of
from web.api.waiting import WaitInQuery, wait_until_encoded
from web.http.addresses import sku_in
from web.http.idempotency import IDEMPOTENT
from web.http.problems import ApiError

SkuInPath = Annotated[str, PathParameter(min_length=1, max_length=MAX_SKU)]
CatalogInQuery = Annotated[str, QueryParameter(max_length=MAX_CATALOG)]

NO_ROOT = ", and paths need WINDOWSHOP_WEB_IMAGE_ROOT, the folder where they start, which is not set"


class Outcome(msgspec.Struct):
    sku: str
    status: Literal["inserted", "updated", "unchanged", "rejected"]
    reason: Annotated[
        str | None,
        Meta(description="Why the product is rejected, or why values of a stored product are omitted or rounded."),
    ]
    not_stored: Annotated[
        list[str],
        Meta(description="Names of attributes that are not stored, because they look private and are not in `keep`."),
    ] = msgspec.field(default_factory=list)
    encoding: Annotated[
        Literal["done", "waiting", "quarantined"] | UnsetType,
        Meta(description="Present with `wait` if the product is stored: whether its title and images are encoded."),
    ] = UNSET


class Outcomes(msgspec.Struct):
    """One outcome for each product, in the order of the request."""

    products: list[Outcome]


class ProductOut(msgspec.Struct, kw_only=True):
    sku: str
    catalog: str
    title: str
    description: str | None
    brand: str | None
    product_type: str | None
    price: float | None
    currency: str | None
    availability: str | None
    gtin: str | None
    mpn: str | None
    item_group_id: str | None
    link: str | None
    image_link: str | None
    color: str | None
    size: str | None
    material: str | None
    condition: str | None
    sale_price: float | None
    sale_starts_at: datetime | None
    sale_ends_at: datetime | None
    compare_at_price: float | None
    quantity: int | None
    rating: float | None
    review_count: int | None
    published_at: datetime | None
    effective_price: EffectivePrice
    price_before: PriceBefore
    attributes: dict[str, Any]
    pictures: list[Picture]
    created_at: datetime
    updated_at: datetime


@get(
    "/products/{sku:str}",
    operation_id="readProduct",
    opt={"scope": "search", "strict": True},
    security=KEY,
    tags=["Products"],
    responses=answers(ProductOut, *KEYED, "not-found") | UNCHANGED,
)
async def read_product(
    request: Request[Any, Any, Any], state: State, sku: SkuInPath, catalog: CatalogInQuery = "main"
) -> Response[ProductOut]:
    """Return a product of the catalog. With If-None-Match, the answer is 304 if the product is unchanged."""
    sku = sku_in(sku)
    limits = KeyLimits.of(request)
    limits.check_catalog(catalog)

    def read(conn: Connection) -> dict[str, Any]:
        limits.check_products(conn, catalog, (sku,))
        found = db_catalog.read_product(conn, sku, catalog)
        if found is None:
            raise no_product(conn, catalog)
        return found

    row = await state.pools.read(request, read)
    identity: UUID = row.pop("product_id")
    link = row["image_link"]
    shown = (picture_of(identity.hex, uri, position, link, hash_) for position, uri, hash_ in row.pop("images"))
    for name in (*PRICES, "rating", "effective_price", "price_before"):
        row[name] = None if row[name] is None else float(row[name])
    row["attributes"] = ShownAttributes(state.settings.attributes).shown(row["attributes"])
    found = ProductOut(**row, pictures=[one for one in shown if one is not None])
    tag = f'W/"{hashlib.sha256(msgspec.json.encode(found)).hexdigest()[:20]}"'
    # A browser may store the answer, but must ask the service before each use whether the answer is still current.
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, status_code=304, headers=headers)  # type: ignore[arg-type]  # a 304 has no body
    return Response(found, headers=headers)


@put(
    "/products",
    operation_id="putProducts",
    opt={"scope": "write", "strict": True, IDEMPOTENT: True},
    security=KEY,
    tags=["Products"],
    responses=answers(Outcomes, *BODY, *KEYED, *REPEATABLE, "not-found"),
)
async def put_products(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[ProductsIn],
    wait: WaitInQuery = 0,
) -> Outcomes:
    """Insert or replace up to 1,000 products in one transaction.

    Unchanged products are not written. A product is rejected with a reason, for example if its SKU or title is faulty,
    if it has an unknown field, if a price such as `1.290` could be two numbers, or if an earlier product of the request
    has its SKU. Most other faulty values are omitted, and `reason` names them; with `strict`, the product is rejected.
    A catalog that does not exist is refused without `create`. Private attributes, such as costs and suppliers, are
    stored only if `keep` names them. Changed titles and images are encoded again automatically.
    """
    KeyLimits.of(request).check_catalog(data.catalog)
    root = state.settings.image_root
    items = read_items(data.products, ProductIn)
    raws = list(raw_products([item for item in items if isinstance(item, ProductIn)]))

    def write(conn: Connection) -> list[Outcome]:
        if not data.create and not catalogs.exists(conn, data.catalog):
            hint = 'Correct the name, or create the catalog by "create": true beside "products".'
            raise ApiError("not-found", f"There is no catalog {data.catalog}.", hint=hint)
        outcomes, taken = _checked(data, items, raws, root, {} if root else _stored_paths(conn, raws, data.catalog))
        products = [product for _, product in taken]
        results = db_catalog.put(conn, products, catalog=data.catalog, image_root=root)
        for (outcome, _), result in zip(taken, results, strict=True):
            if isinstance(result, StatementRefused):
                outcome.reason = f"the database refuses the product (SQLSTATE {result.sqlstate})"
            else:
                outcome.status = result
        return outcomes

    outcomes: list[Outcome] = await state.pools.write(request, write)
    if wait:
        stored = {one.sku: one for one in outcomes if one.status != "rejected"}
        for sku, encoded in (await wait_until_encoded(request, state, list(stored), data.catalog, wait)).items():
            stored[sku].encoding = encoded
    return Outcomes(outcomes)


def _checked(
    data: ProductsIn,
    items: list[ProductIn | Refused],
    raws: list[RawProduct | str],
    root: Path | None,
    stored: dict[str, set[str]],
) -> tuple[list[Outcome], list[tuple[Outcome, Product]]]:
    """Returns the outcome of each item, and a pair of outcome and product for each product to store.

    `raws` has what `raw_products` returned for the items that are not Refused. `stored` has the image paths that
    products already have, by SKU.
    """
    outcomes: list[Outcome] = []
    taken: dict[str, tuple[Outcome, Product]] = {}
    image_root = ImageRoot(root) if root else None
    raw_ones = iter(raws)
    for item in items:
        outcome = Outcome(shown_sku(item), "rejected", None)
        outcomes.append(outcome)
        raw = item.reason if isinstance(item, Refused) else next(raw_ones)
        if isinstance(raw, str):
            outcome.reason = raw
            continue
        public = PublicAttributes(kept=data.keep)
        allowed = image_root or AddressesOnly(stored.get(_sku(raw), ()), NO_ROOT)
        found = validate(replace(raw, attributes=public.filtered(raw.attributes)), allowed, strict=data.strict)
        outcome.not_stored = sorted(public.dropped)
        if isinstance(found, list):
            outcome.reason = "; ".join(found)
        elif reasons := [reason for name, reason in found.warnings if name in PRICES and AMBIGUOUS in reason]:
            outcome.reason = "; ".join(reasons)  # stored without this price, the product would lose an earlier one
        elif found.product.sku in taken:
            outcome.reason = "this SKU is in the request already"
        else:
            taken[found.product.sku] = outcome, found.product
            outcome.reason = "; ".join(reason for _, reason in found.warnings) or None
    return outcomes, list(taken.values())


def _stored_paths(conn: Connection, raws: list[RawProduct | str], catalog: str) -> dict[str, set[str]]:
    """Locks the products, and returns their stored image paths by SKU. If no image is given as a path, locks nothing
    and returns nothing."""
    rows = [raw for raw in raws if isinstance(raw, RawProduct)]
    if all("://" in uri for row in rows for uri in row.images):
        return {}
    skus = [sku for sku in map(_sku, rows) if sku and sku.isprintable()]
    db_catalog.lock(conn, skus, catalog)
    return db_catalog.image_paths(conn, skus, catalog)


def _sku(raw: RawProduct) -> str:
    return raw.fields.get("sku", "").strip()


@delete(
    "/products/{sku:str}",
    operation_id="deleteProduct",
    opt={"scope": "write", "strict": True, IDEMPOTENT: True},
    security=KEY,
    tags=["Products"],
    responses=answers(None, *KEYED, *REPEATABLE, "not-found", status=204),
)
async def delete_product(
    request: Request[Any, Any, Any], state: State, sku: SkuInPath, catalog: CatalogInQuery = "main"
) -> None:
    """Delete a product from the catalog, together with its vectors."""
    KeyLimits.of(request).check_catalog(catalog)

    def write(conn: Connection) -> None:
        if not db_catalog.delete(conn, sku_in(sku), catalog):
            raise no_product(conn, catalog)

    await state.pools.write(request, write)


def no_product(conn: Connection, catalog: str) -> ApiError:
    """Returns the error about a product that does not exist. If its catalog does not exist, the error says so."""
    if not catalogs.exists(conn, catalog):
        return ApiError("not-found", f"There is no catalog {catalog}.")
    return ApiError("not-found", "There is no such product in this catalog.")
