"""Defines a product as a feed writes it (RawProduct) and as the database stores it (Product)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

# Most feeds have none of these columns. A product without a text for any of them skips their checks, which saves time.
# Messages about empty fields name such a column only if the feed has it.
OFFER_COLUMNS = (
    "sale_price", "sale_starts_at", "sale_ends_at", "compare_at_price", "quantity", "rating", "review_count",
    "published_at",
)  # fmt: skip
COLUMNS = (
    "sku", "title", "description", "brand", "product_type", "price", "currency", "availability", "gtin", "mpn",
    "item_group_id", "link", "image_link", "color", "size", "material", "condition",
    *OFFER_COLUMNS,
)  # fmt: skip
# A field of a RawProduct: the start and the end of the sale in one text, as Google writes them.
SALE_DATES = "sale_dates"

# RawProduct, Product and ValidatedProduct are not frozen: a load builds one object of each class per row, and
# building a frozen dataclass takes three times as long.


@dataclass(slots=True)
class RawProduct:
    """A product as text, not yet validated. The keys of `fields` are names in `COLUMNS`, and `SALE_DATES`."""

    fields: Mapping[str, str]
    images: Sequence[str] = ()  # paths below the image root, or addresses; pages show the first image
    image_phash: str | None = None  # perceptual hash of the first image, 16 hexadecimal digits
    attributes: Mapping[str, Any] = field(default_factory=dict)  # the fields of the feed that are not in COLUMNS
    line: int = 0  # the line where the product begins; in a file without lines, the number of the row or image
    faults: Sequence[tuple[str, str]] = ()  # the field and the reason of each value that does not fit its field
    warnings: Sequence[tuple[str, str]] = ()  # the field and the text of each warning that never rejects the row


@dataclass(frozen=True, slots=True)
class Image:
    """A path below the catalog's image root, or an http(s), s3 or gs address."""

    uri: str
    phash: str | None = None  # perceptual hash, 64 binary digits; None if the feed has no hash
    file_version: str | None = None  # changes when the file changes; None for an address or if there is no file


@dataclass(slots=True)
class Product:
    """A product with values of the types that the database stores. Pages show the first of its `images`."""

    sku: str
    title: str
    description: str | None = None
    brand: str | None = None
    product_type: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    availability: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    item_group_id: str | None = None
    link: str | None = None
    image_link: str | None = None
    color: str | None = None
    size: str | None = None
    material: str | None = None
    condition: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    sale_price: Decimal | None = None
    sale_starts_at: datetime | None = None
    sale_ends_at: datetime | None = None
    compare_at_price: Decimal | None = None
    quantity: int | None = None
    rating: Decimal | None = None
    review_count: int | None = None
    published_at: datetime | None = None


@dataclass(slots=True)
class ValidatedProduct:
    product: Product
    missing_files: int  # the number of the product's image files that are not on this disk
    dropped_hash: bool  # whether the image_phash of the feed was malformed, and therefore dropped
    line: int  # the `line` of the RawProduct
    warnings: Sequence[tuple[str, str]] = ()  # the field and the reason of each value that was dropped or changed
