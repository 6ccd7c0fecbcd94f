"""Bodies of requests and answers, as OpenAPI shows them.

Unknown fields are refused: a misspelt option must not be ignored. `arguments` of a search returns what it passes to
shop.search, so a new option takes one field and one line there.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from db.catalog.validation import MAX_LENGTHS
from db.functions.constants import MAX_IMAGE_BASE64, MAX_INPUTS, MAX_RESULTS, MAX_TEXT

MAX_SKU = MAX_LENGTHS["sku"]
MAX_CATALOG = 63
MAX_CURSOR = 200

Sku = Annotated[str, Meta(min_length=1, max_length=MAX_SKU)]
Catalog = Annotated[str, Meta(max_length=MAX_CATALOG, description="The catalog that is searched.")]
TopK = Annotated[int, Meta(ge=1, le=MAX_RESULTS, description="How many results.")]
Weight = Annotated[float, Meta(ge=0, le=1000)]
InputWeight = Annotated[float, Meta(ge=-1000, le=1000)]
Cursor = Annotated[str, Meta(max_length=MAX_CURSOR)]
Base64 = Annotated[str, Meta(max_length=MAX_IMAGE_BASE64)]
Vector = Annotated[list[float], Meta(max_length=4000)]
ModelName = Annotated[str, Meta(max_length=40)]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


class Weights(msgspec.Struct, forbid_unknown_fields=True):
    """How much each leg counts. 0 leaves the leg out; null is the fitted weight."""

    image: Weight | None = None
    title: Weight | None = None
    keyword: Weight | None = None


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    top_k: TopK = 10
    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    catalog: Catalog = "main"
    weights: Weights | None = None
    min_similarity: Annotated[float | None, Meta(description="Leave out images less similar than this.")] = None
    max_gap: Annotated[
        float | None, Meta(description="Leave out products less similar than the best by more than this.")
    ] = None
    page: Annotated[
        Cursor | None, Meta(description="`next` of the page before; all other fields must be the same.")
    ] = None
    explain: Annotated[bool, Meta(description="Also return every step of the search.")] = False

    def arguments(self) -> dict[str, Any]:
        """The arguments of shop.search. `explain` is not among them: it only adds to the answer."""
        weights = self.weights or Weights()
        return {
            "k": self.top_k,
            "filter": None if self.filter is None else as_json(self.filter),
            "catalog": self.catalog,
            "image_weight": weights.image,
            "title_weight": weights.title,
            "keyword_weight": weights.keyword,
            "min_similarity": self.min_similarity,
            "max_gap": self.max_gap,
            "after": self.page,
        }


class TextSearch(Options, forbid_unknown_fields=True, kw_only=True):
    query: Annotated[Text, Meta(description="A description of the product.")]

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"query": self.query, "degrade": True}


class ImageSearch(Options, forbid_unknown_fields=True, kw_only=True):
    image: Annotated[bytes, Meta(description="An image file in base64, at most 10 MB.")]

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"image": self.image}


class Input(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One of text, image, sku and vector. A negative weight means: less like this."""

    text: Text | None = None
    image: Annotated[Base64 | None, Meta(description="An image file in base64.")] = None
    sku: Sku | None = None
    vector: Vector | None = None
    model: Annotated[ModelName | None, Meta(description="The model that computed the vector.")] = None
    weight: InputWeight | None = None


class GeneralSearch(Options, forbid_unknown_fields=True, kw_only=True):
    query: Text | None = None
    image: Annotated[bytes | None, Meta(description="An image file in base64, at most 10 MB.")] = None
    inputs: Annotated[list[Input], Meta(min_length=1, max_length=MAX_INPUTS)] | None = None

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "query": self.query,
            "image": self.image,
            "inputs": None if self.inputs is None else as_json(self.inputs),
            "degrade": self.image is None and self.inputs is None,  # only a text can be searched by keywords instead
        }


class Leg(msgspec.Struct):
    """How one leg ranked a product: by cosine distance for images and titles, by score for keywords."""

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
    """Results, best first. `degraded`: the text could not be encoded, so only keywords were searched."""

    results: list[Result]
    total: Annotated[int | None, Meta(description="How many products match; null when none was found.")]
    total_is: Literal["exact", "about", "at least"] | None
    route: Literal["exact", "hnsw", "keyword"] | None
    rows_examined: int | None
    degraded: bool
    reason: Annotated[str | None, Meta(description="Why the result is incomplete or empty; else null.")]
    next: Annotated[str | None, Meta(description="`page` of the request for the next page; null on the last page.")]
    explain: list[Explained] | None = None


class FacetsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    fields: Annotated[list[Annotated[str, Meta(max_length=1011)]], Meta(min_length=1, max_length=20)] = msgspec.field(
        default_factory=lambda: ["product_type", "brand", "color", "availability", "price"]
    )
    catalog: Catalog = "main"
    limit_values: Annotated[int, Meta(ge=1, le=1000, description="How many values of a field are listed.")] = 20
    buckets: Annotated[int, Meta(ge=1, le=100, description="How many ranges numbers are divided into, at most.")] = 8


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


def as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
