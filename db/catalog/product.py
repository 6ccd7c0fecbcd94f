"""A product, in the vocabulary of product feeds: as a feed writes it, and as the database takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

COLUMNS = (
    "sku", "title", "description", "brand", "product_type", "price", "currency", "availability", "gtin", "mpn",
    "item_group_id", "link", "image_link", "color", "size", "material", "condition",
)  # fmt: skip

# RawProduct, Product and ValidatedProduct are not frozen: a load builds one of each per row, and a frozen dataclass
# takes three times as long to build.


@dataclass(slots=True)
class RawProduct:
    """A product as text, not yet validated. `fields` go by the names of `COLUMNS`."""

    fields: Mapping[str, str]
    images: Sequence[str] = ()  # paths below the image root, or addresses; the first one is shown
    image_phash: str | None = None  # of the first image, 16 hexadecimal digits
    attributes: Mapping[str, Any] = field(default_factory=dict)  # whatever is not one of COLUMNS
    line: int = 0  # where it begins in its file; in a folder, the number of the image


@dataclass(frozen=True, slots=True)
class Image:
    """A path below the catalog's image root, or an http(s), s3 or gs address."""

    uri: str
    phash: str | None = None  # 64 binary digits, if the feed has one


@dataclass(slots=True)
class Product:
    """A product that the database takes. `images` are in order; the first one is shown."""

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


@dataclass(slots=True)
class ValidatedProduct:
    product: Product
    missing_files: int  # images that are not on this disk
    dropped_hash: bool  # its image_phash was malformed
    line: int  # of its RawProduct
