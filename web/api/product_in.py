"""Defines the bodies of the routes that put and change products, and reads the products by the rules of the loader."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from db.catalog.product import COLUMNS, RawProduct
from db.catalog.rows.cells import is_empty, named_values, one_text
from db.catalog.rows.columns import Columns
from db.catalog.rows.notation import with_one_meaning
from db.catalog.validation import MAX_IMAGES
from web.api.batches import Refused, shown_as

# A field takes any JSON value, and db/catalog/validation.py decides whether the field can hold it. The OpenAPI document
# shows the usual types, so that generated clients have types.
Required = Annotated[Any, Meta(extra_json_schema={"type": "string", "minLength": 1})]
Cell = Annotated[Any, Meta(extra_json_schema={"type": ["string", "null"]})]
Price = Annotated[
    Any,
    Meta(
        description='A number, or a text such as "12.50 EUR".',
        extra_json_schema={"type": ["number", "string", "null"]},
    ),
]
Time = Annotated[
    Any,
    Meta(
        description="A time such as `2026-01-31T09:30:00Z`. A time without a zone is read as UTC.",
        extra_json_schema={"type": ["string", "null"]},
    ),
]
Count = Annotated[Any, Meta(extra_json_schema={"type": ["integer", "string", "null"]})]
# The positions of the fields in the list that `_raw_product` builds
_COLUMNS = Columns({name: index for index, name in enumerate((*COLUMNS, "image"))}, {"attributes": len(COLUMNS) + 1})


class _ProductFields(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    description: Cell = None
    brand: Cell = None
    product_type: Cell = None
    price: Price = None
    currency: Cell = None
    availability: Cell = None
    gtin: Cell = None
    mpn: Cell = None
    item_group_id: Cell = None
    link: Cell = None
    color: Cell = None
    size: Cell = None
    material: Cell = None
    condition: Cell = None
    sale_price: Price = None
    sale_starts_at: Time = None
    sale_ends_at: Time = None
    compare_at_price: Price = None
    quantity: Count = None
    rating: Annotated[
        Any,
        Meta(
            description="A rating out of 5. If the rating has another scale, write the scale too: `8.5/10`.",
            extra_json_schema={"type": ["number", "string", "null"]},
        ),
    ] = None
    review_count: Count = None
    published_at: Time = None
    attributes: Annotated[
        Any,
        Meta(
            description="An object with the attributes and their values.",
            extra_json_schema={"type": ["object", "null"], "additionalProperties": True},
        ),
    ] = None
    images: Annotated[
        Any,
        Meta(
            description=f"A list of at most {MAX_IMAGES} web addresses, or paths below WINDOWSHOP_WEB_IMAGE_ROOT. "
            "In PUT, `image_link` is the image if `images` is absent.",
            extra_json_schema={"type": ["array", "null"], "items": {"type": "string"}},
        ),
    ] = None


class ProductIn(_ProductFields, forbid_unknown_fields=True, kw_only=True):
    """A whole product. An absent field is stored as empty. A field takes a text, or another JSON value that `windowshop
    load` reads. Without `strict`, most values that their fields cannot hold are omitted, and `reason` in the answer
    names them."""

    sku: Required
    title: Required
    image_link: Cell = None


class ProductPatch(_ProductFields, forbid_unknown_fields=True, kw_only=True):
    """The fields that change. Null clears a field, but not the title. The members of `attributes` are merged into the
    stored attributes, and a member that is null removes the stored member. `images` replaces all images."""

    title: Required = None


class ProductsIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    products: Annotated[list[Annotated[msgspec.Raw, shown_as(ProductIn)]], Meta(min_length=1, max_length=1000)]
    catalog: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_.-]{0,62}$")] = "main"
    keep: Annotated[
        list[Annotated[str, Meta(max_length=1000)]],
        Meta(max_length=100, description="Names of attributes that are stored although their names look private."),
    ] = []
    strict: Annotated[
        bool, Meta(description="Reject a product with a faulty value, instead of storing it without the value.")
    ] = False
    create: Annotated[
        bool, Meta(description="Create the catalog if it does not exist. The catalog `main` needs no `create`.")
    ] = False


def shown_sku(item: ProductIn | Refused) -> str:
    """Returns the SKU of an item, or "" if its value cannot be a SKU."""
    given = item.given if isinstance(item, Refused) else None
    try:
        return one_text("sku", given.get("sku") if isinstance(given, dict) else getattr(item, "sku", None))
    except ValueError:
        return ""


def raw_products(given: Sequence[ProductIn]) -> Iterator[RawProduct | str]:
    """Yields each product as a row, or the reason why it cannot be read.

    A price such as `1.290` or a date such as `4/1/26` has two meanings. As in a file, the other prices and dates of the
    request may show which meaning is right. A price without a currency gets the currency of the request's other
    products, if they all have the same currency.
    """
    has_images = any(not is_empty(product.images) for product in given)
    rows = [_raw_product(product, has_images) for product in given]
    catalog = [row for row in rows if isinstance(row, RawProduct)]
    has_currencies = any(row.fields.get("currency") for row in catalog)
    return with_one_meaning(rows, lambda: catalog, states_currency=has_currencies)


def _raw_product(given: ProductIn, has_images: bool) -> RawProduct | str:
    listed = given.attributes
    if isinstance(listed, list) and listed and not named_values(listed):
        return "attributes is a list; write an object"
    cells = [getattr(given, name) for name in COLUMNS]
    images = given.images
    if images is None or (not has_images and is_empty(images)):
        index = COLUMNS.index("image_link")
        images, cells[index] = cells[index], None
    try:
        return _COLUMNS.row(0, [*cells, images, given.attributes])
    except ValueError as error:
        return str(error)
