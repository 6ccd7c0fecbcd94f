"""Defines the types of the rows of shop.browse, shop.explain_search and shop.facets."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BrowseItem:
    """A row of shop.browse: a product listed without a query."""

    product_id: UUID
    sku: str
    title: str
    brand: str | None
    product_type: str | None
    price: Decimal | None
    currency: str | None
    availability: str | None
    color: str | None
    link: str | None
    image_link: str | None
    image_uri: str | None
    image_position: int
    effective_price: Decimal | None  # the price at the time of the call
    cursor: str
    group_value: str | None  # the columns of the group are None without group_by
    group_products: int | None
    group_low: Decimal | None
    group_high: Decimal | None
    image_hash: str | None  # hash of the image's content


@dataclass(frozen=True, slots=True)
class ExplainStep:
    """A row of shop.explain_search."""

    step: str
    route: str | None
    index_name: str | None
    ef_search: int | None
    found: int | None
    examined: int | None
    ms: float | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Facet:
    """A row of shop.facets: a value, a range, all other values, or the products without a value.

    `value_json` is the value with its type, as JSON. `row_filter` is the filter that finds the products of the row.
    """

    field: str
    value: str | None
    low: Decimal | None
    high: Decimal | None
    products: int
    kind: str
    exact: bool
    note: str | None
    value_json: str | None
    currency: str | None
    row_filter: str | None
