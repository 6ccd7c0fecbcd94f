"""Defines the bodies of requests for facets and of answers with facets."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from db.functions.constants import MAX_INPUTS
from web.api.schemas import Catalog, Correct, FacetName, GeneralSearch, Input, Language, Text, Weights


class FacetValue(msgspec.Struct):
    kind: Literal["value", "range", "other", "missing"]
    products: int
    value: Annotated[
        Any, Meta(description='The value with its JSON type: the boolean `true` differs from the text `"true"`.')
    ] = None
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


class FacetsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Without `cut`, all products that pass the filter and the operators of the query are counted. With `cut`, only the
    products that pass the cut of a search are counted. Then give `query`, `image`, `inputs` and `weights` as in that
    search."""

    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    fields: Annotated[list[FacetName], Meta(min_length=1, max_length=20)] = msgspec.field(
        default_factory=lambda: ["product_type", "brand", "color", "availability", "price", "effective_price"]
    )
    catalog: Catalog = "main"
    limit_values: Annotated[int, Meta(ge=1, le=1000, description="Largest number of values listed for a field.")] = 20
    buckets: Annotated[
        int, Meta(ge=1, le=100, description="Largest number of ranges into which numbers are divided.")
    ] = 8
    query: Text | None = None
    image: Annotated[bytes | None, Meta(description="An image file in base64, at most 10 MB.")] = None
    inputs: Annotated[list[Input], Meta(min_length=1, max_length=MAX_INPUTS)] | None = None
    weights: Weights | None = None
    cut: Literal["relevant"] | None = None
    correct: Correct = True
    language: Language = None

    def arguments(self) -> dict[str, Any]:
        """Returns the search as arguments of shop.search. `ranking.facets` passes on only the arguments that
        shop.facets has."""
        asked = GeneralSearch(
            query=self.query,
            image=self.image,
            inputs=self.inputs,
            filter=self.filter,
            catalog=self.catalog,
            weights=self.weights,
            cut=self.cut,
            correct=self.correct,
        )
        return asked.arguments()
