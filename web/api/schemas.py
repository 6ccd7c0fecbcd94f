"""What goes in and out, as OpenAPI shows it. Unknown fields are refused: a misspelt option must not be ignored."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Sku = Annotated[str, Meta(min_length=1, max_length=200)]
Catalog = Annotated[str, Meta(max_length=63, description="The catalog that is searched.")]
TopK = Annotated[int, Meta(ge=1, le=1000, description="How many results.")]
Weight = Annotated[float, Meta(ge=0, le=1000)]
InputWeight = Annotated[float, Meta(ge=-1000, le=1000)]
Cursor = Annotated[str, Meta(max_length=200)]
Base64 = Annotated[str, Meta(max_length=14_000_000)]
Vector = Annotated[list[float], Meta(max_length=4000)]
ModelName = Annotated[str, Meta(max_length=40)]
Text = Annotated[str, Meta(min_length=1, max_length=10_000)]


class Weights(msgspec.Struct, forbid_unknown_fields=True):
    """How much each leg counts; 0 leaves it out, null is the fitted weight."""

    image: Weight | None = None
    title: Weight | None = None
    keyword: Weight | None = None


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    top_k: TopK = 10
    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    catalog: Catalog = "main"
    weights: Weights | None = None
    min_similarity: Annotated[float | None, Meta(description="Leaves out pictures less similar than this.")] = None
    max_gap: Annotated[float | None, Meta(description="Leaves out what is less similar than the best by more.")] = None
    page: Annotated[Cursor | None, Meta(description="`next` of the page before; all else must be the same.")] = None
    explain: Annotated[bool, Meta(description="Also tell how the result came about, step by step.")] = False


class TextSearch(Options, forbid_unknown_fields=True, kw_only=True):
    query: Annotated[Text, Meta(description="What the product looks like.")]


class ImageSearch(Options, forbid_unknown_fields=True, kw_only=True):
    image: Annotated[bytes, Meta(description="An image file in base64, at most 10 MB.")]


class Input(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One of text, image, sku and vector. A negative weight means: less like this."""

    text: Text | None = None
    image: Annotated[Base64 | None, Meta(description="An image file in base64.")] = None
    sku: Sku | None = None
    vector: Vector | None = None
    model: Annotated[ModelName | None, Meta(description="The model a vector is of.")] = None
    weight: InputWeight | None = None


class GeneralSearch(Options, forbid_unknown_fields=True, kw_only=True):
    query: Text | None = None
    image: Annotated[bytes | None, Meta(description="An image file in base64, at most 10 MB.")] = None
    inputs: Annotated[list[Input], Meta(min_length=1, max_length=20)] | None = None


class Leg(msgspec.Struct):
    """What one leg had to say about a product. A cosine distance for pictures and titles, a score for keywords."""

    rank: int | None
    distance: float | None = None
    score: float | None = None
    contribution: float | None = None


class Picture(msgspec.Struct):
    url: str
    position: int


class Why(msgspec.Struct):
    image: Leg
    title: Leg
    keyword: Leg


class Result(msgspec.Struct):
    rank: int
    sku: str
    title: str
    score: float
    brand: str | None
    product_type: str | None
    price: float | None
    currency: str | None
    availability: str | None
    color: str | None
    link: str | None
    picture: Picture | None
    why: Why


class Explained(msgspec.Struct):
    step: str
    route: str | None
    index_name: str | None
    ef_search: int | None
    found: int | None
    examined: int | None
    ms: float | None
    note: str | None


class Results(msgspec.Struct):
    """Best first. `degraded`: the text could not be encoded, so only keywords were searched."""

    results: list[Result]
    total: Annotated[int | None, Meta(description="Products that match; null when nothing was found.")]
    total_is: Literal["exact", "about", "at least"] | None
    route: Literal["exact", "hnsw", "keyword"] | None
    rows_examined: int | None
    degraded: bool
    reason: Annotated[str | None, Meta(description="Why the result is not what could be expected.")]
    next: Annotated[str | None, Meta(description="`page` of the next page; null on the last.")]
    explain: list[Explained] | None = None


class FacetsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    fields: Annotated[list[Annotated[str, Meta(max_length=1011)]], Meta(min_length=1, max_length=20)] = msgspec.field(
        default_factory=lambda: ["product_type", "brand", "color", "availability", "price"]
    )
    catalog: Catalog = "main"
    limit_values: Annotated[int, Meta(ge=1, le=1000, description="Values of a field that are listed.")] = 20
    buckets: Annotated[int, Meta(ge=1, le=100, description="Ranges numbers are divided into, at most.")] = 8


class FacetValue(msgspec.Struct):
    kind: Literal["value", "range", "other", "missing"]
    products: int
    value: str | None = None
    low: float | None = None
    high: float | None = None


class FacetOf(msgspec.Struct):
    field: str
    exact: bool
    note: str | None
    values: list[FacetValue]


class Facets(msgspec.Struct):
    facets: list[FacetOf]
