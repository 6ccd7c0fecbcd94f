"""Changes named fields of a product, deletes several products, and tells which parts of a product are encoded."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, patch, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import Meta
from sqlalchemy import Connection

from db.catalog import patching, store
from db.catalog.image_paths import AddressesOnly, ImageRoot
from db.catalog.offer import DATES_OF_SALE, PRICES
from db.catalog.private_attributes import PublicAttributes
from db.catalog.product import COLUMNS
from db.catalog.validation import validate
from db.work import encoding
from web.api.attributes import ShownAttributes
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, REPEATABLE, answers
from web.api.product_in import ProductIn, ProductPatch, raw_products
from web.api.products import NO_ROOT, CatalogInQuery, Outcome, SkuInPath, no_product
from web.api.schemas import Catalog, Sku
from web.api.waiting import WaitInQuery, wait_until_encoded
from web.http.addresses import sku_in
from web.http.context import context_of
from web.http.idempotency import IDEMPOTENT
from web.http.problems import ApiError

MAX_DELETED = 1000  # the most products that one request deletes
# A new value of one of these fields is checked together with the stored values of the others.
_CONTEXT = ("currency", *PRICES, *DATES_OF_SALE)


@patch(
    "/products/{sku:str}",
    operation_id="patchProduct",
    opt={"scope": "write", "strict": True, IDEMPOTENT: True},
    security=KEY,
    tags=["Products"],
    responses=answers(Outcome, *BODY, *KEYED, *REPEATABLE, "not-found"),
)
async def patch_product(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[ProductPatch],
    sku: SkuInPath,
    catalog: CatalogInQuery = "main",
    wait: WaitInQuery = 0,
) -> Outcome:
    """Change the named fields of a product. Null clears a field. A value that its field cannot hold is refused."""
    sku = sku_in(sku)
    KeyLimits.of(request).check_catalog(catalog)
    names = list(msgspec.json.decode(await request.body(), type=dict[str, msgspec.Raw]))
    if not names:
        raise ApiError("invalid", "The body names no field.")
    if "attributes" in names and not isinstance(data.attributes, Mapping | None):
        raise ApiError("invalid", "attributes is an object or null.")

    def write(conn: Connection) -> Outcome:
        before = patching.read_for_update(conn, sku, catalog)
        if before is None:
            raise no_product(conn, catalog)
        return _patched(conn, before, data, names, state.settings.image_root)

    outcome: Outcome = await state.pools.write(request, write)
    if wait:
        outcome.encoding = (await wait_until_encoded(request, state, [sku], catalog, wait))[sku]
    return outcome


def _patched(conn: Connection, before: Mapping[str, Any], data: ProductPatch, names: list[str], root: Any) -> Outcome:
    given = {name: getattr(data, name) for name in names}
    context = {name: _written(before[name]) for name in _CONTEXT if name not in names}
    whole = {"sku": before["sku"], "title": before["title"], **context, **given}
    removed = {name: None for name, value in (data.attributes or {}).items() if value is None}
    kept = {name: value for name, value in (data.attributes or {}).items() if value is not None}
    raw = next(raw_products([ProductIn(**whole | {"attributes": kept})]))
    if isinstance(raw, str):
        raise ApiError("invalid", raw)
    public = PublicAttributes(kept=())
    has_path = any("://" not in uri for uri in raw.images)
    stored = store.image_paths(conn, [before["sku"]], before["catalog"]) if has_path and not root else {}
    allowed = ImageRoot(root) if root else AddressesOnly(stored.get(before["sku"], ()), NO_ROOT)
    found = validate(replace(raw, attributes=public.filtered(raw.attributes)), allowed, strict=False)
    if isinstance(found, list):
        raise ApiError("invalid", "; ".join(found))
    product = found.product
    # The stored values of the context are valid, but the new ones may contradict them. A new sale price or date is
    # checked together with the stored dates.
    is_new_sale = any(given.get(name) is not None for name in ("sale_price", *DATES_OF_SALE))
    checked = {*names, *(DATES_OF_SALE if is_new_sale else ())}
    reasons = [(name, reason) for name, reason in found.warnings if name in checked or name not in _CONTEXT]
    # An end before the start is a fault too, although both dates can be read.
    if faults := [
        reason
        for name, reason in reasons
        if name not in COLUMNS or name in DATES_OF_SALE or getattr(product, name) is None
    ]:
        raise ApiError("invalid", "; ".join(faults))
    values: dict[str, Any] = {name: getattr(product, name) for name in names if name in COLUMNS}
    if before["currency"] is None and not set(names).isdisjoint(PRICES) and "currency" not in names:
        values["currency"] = product.currency  # a price such as "12.50 EUR" names the currency
    if "attributes" in names:
        values["attributes"] = (
            {} if data.attributes is None else patching.merged(before["attributes"], {**product.attributes, **removed})
        )
    if "images" in names:
        values["image_link"] = product.image_link
    status = patching.write(conn, before, values, product.images if "images" in names else None, root)
    return Outcome(before["sku"], status, "; ".join(reason for _, reason in reasons) or None, sorted(public.dropped))


def _written(value: Any) -> Any:
    return None if value is None else value.isoformat() if isinstance(value, datetime) else str(value)


class Deletion(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Names the products to delete by `skus` or by `filter`, not by both."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=MAX_DELETED)] | None = None
    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    catalog: Catalog = "main"
    all: Annotated[
        bool,
        Meta(
            description="Allow a filter that every product of the catalog passes. Such a filter is refused otherwise."
        ),
    ] = False


class Deleted(msgspec.Struct):
    deleted: Annotated[int, Meta(description="Number of deleted products.")]
    not_found: Annotated[list[str], Meta(description="The SKUs in `skus` without a product.")]
    more: Annotated[
        bool,
        Meta(
            description="Whether further products pass the filter. The same request, with another Idempotency-Key, "
            "deletes the next products."
        ),
    ]


@post(
    "/delete-products",
    operation_id="deleteProducts",
    opt={"scope": "write", "strict": True, IDEMPOTENT: True},
    status_code=200,
    security=KEY,
    tags=["Products"],
    responses=answers(Deleted, *BODY, *KEYED, *REPEATABLE, "not-found"),
)
async def delete_products(request: Request[Any, Any, Any], state: State, data: JSONBody[Deletion]) -> Deleted:
    """Delete up to 1,000 products, with their vectors, in one transaction: by a list of SKUs, or by a filter."""
    KeyLimits.of(request).check_catalog(data.catalog)
    if (data.skus is None) == (data.filter is None):
        raise ApiError("invalid", "Give skus or a filter, and not both.")
    if data.skus is not None:
        skus = list(dict.fromkeys(data.skus))
        found = await state.pools.write(request, lambda conn: store.delete_list(conn, skus, data.catalog))
        return Deleted(len(found), [sku for sku in skus if sku not in found], more=False)
    ShownAttributes(state.settings.attributes).check(data.filter)
    filter_ = msgspec.json.encode(data.filter).decode()

    def delete_filtered(conn: Connection) -> Deleted:
        deleted, more = store.delete_filtered(conn, filter_, data.catalog, MAX_DELETED, every=data.all)
        return Deleted(deleted, [], more)

    outcome: Deleted = await state.pools.write(request, delete_filtered)
    return outcome


class PartState(msgspec.Struct):
    """The title or an image of a product. `reason` is null for an encoded part, and while no attempt has failed. A key
    without the scope write gets no `uri`, and no `reason`."""

    part: Literal["title", "image"]
    position: int
    uri: Annotated[str | None, Meta(description="Address or path of the image; null for the title.")]
    state: Literal["done", "waiting", "quarantined"]
    reason: str | None


class EncodingState(msgspec.Struct):
    """`state` is `waiting` if a part waits. If none waits, it is `quarantined` if a part is in quarantine, and `done`
    if none is. A part in quarantine is tried again only after its image or title has changed, or when an operator asks
    for it, for example by `windowshop retry`."""

    sku: str
    model: Annotated[str | None, Meta(description="The serving model; null if no model serves.")]
    state: Literal["done", "waiting", "quarantined"]
    parts: list[PartState]


@get(
    "/products/{sku:str}/encoding",
    operation_id="readEncoding",
    opt={"scope": "search", "strict": True},
    security=KEY,
    tags=["Products"],
    responses=answers(EncodingState, *KEYED, "not-found"),
)
async def read_encoding(
    request: Request[Any, Any, Any], state: State, sku: SkuInPath, catalog: CatalogInQuery = "main"
) -> EncodingState:
    """Tell whether the title and the images of a product are encoded. A key with the scope write also gets the address
    or path of each image, and why a part is not encoded."""
    sku = sku_in(sku)
    limits = KeyLimits.of(request)
    limits.check_catalog(catalog)
    key = context_of(request.scope).api_key
    sees_all = key is None or key.allows("write")  # without keys, every client may write

    def read(conn: Connection) -> EncodingState:
        limits.check_products(conn, catalog, (sku,))
        parts = encoding.parts(conn, sku, catalog)
        if parts is None:
            raise no_product(conn, catalog)
        # An error may name a folder or an internal host.
        shown = [
            PartState(
                part.part, part.position, part.uri if sees_all else None, part.state, part.reason if sees_all else None
            )
            for part in parts
        ]
        states = {part.state for part in shown}
        whole: Any = next(each for each in ("waiting", "quarantined", "done") if each in states)
        return EncodingState(sku, encoding.serving_model(conn), whole, shown)

    found: EncodingState = await state.pools.read(request, read)
    return found
