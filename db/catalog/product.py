"""A valid product, in the vocabulary of product feeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

COLUMNS = (
    "sku", "title", "description", "brand", "product_type", "price", "currency", "availability", "gtin", "mpn",
    "item_group_id", "link", "image_link", "color", "size", "material", "condition",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: a path below the catalog's image root, or an http(s), s3 or gs address."""

    uri: str
    phash: str | None = None  # 64 binary digits, if the feed brings one


@dataclass(slots=True)  # not frozen: that would make it three times as dear, and a load makes one a row
class Product:
    """One valid catalog row, in the vocabulary of product feeds. `images` are in order; the first one is shown."""

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
