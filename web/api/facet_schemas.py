"""Defines the bodies of answers with facets."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class FacetValue(msgspec.Struct):
    kind: Literal["value", "range", "other", "missing"]
    products: int
    value: Annotated[Any, Meta(description='The value with its type: `true` is not `"true"`.')] = None
    low: float | None = None
    high: float | None = None
    currency: Annotated[str | None, Meta(description="The currency of a price range; null for other values.")] = None
    filter: Annotated[
        Any,
        Meta(description="A filter that finds these products; null for `other`."),
    ] = None


class FacetOf(msgspec.Struct):
    field: str
    exact: bool
    note: str | None
    values: list[FacetValue]


class Facets(msgspec.Struct):
    facets: list[FacetOf]
