"""Defines the bodies of requests and answers. The OpenAPI document is generated from these classes.

A request with an unknown field is refused, so that a misspelt option is not ignored. The method `arguments` of a search
returns the arguments of shop.search, so a new option needs one field and one line in that method.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from db.catalog.validation import MAX_LENGTHS
from db.functions.constants import MAX_IMAGE_BASE64, MAX_INPUTS, MAX_RESULTS, MAX_SIGNAL_WEIGHT, MAX_SORT, MAX_TEXT

MAX_SKU = MAX_LENGTHS["sku"]
MAX_CATALOG = 63
MAX_CURSOR = 200

Sku = Annotated[str, Meta(min_length=1, max_length=MAX_SKU)]
Catalog = Annotated[str, Meta(max_length=MAX_CATALOG, description="Name of the catalog.")]
TopK = Annotated[int, Meta(ge=1, le=MAX_RESULTS, description="Number of results.")]
Weight = Annotated[float, Meta(ge=0, le=1000)]
SignalWeight = Annotated[float, Meta(ge=-MAX_SIGNAL_WEIGHT, le=MAX_SIGNAL_WEIGHT)]
InputWeight = Annotated[float, Meta(ge=-1000, le=1000)]
Cursor = Annotated[str, Meta(max_length=MAX_CURSOR)]
Base64 = Annotated[str, Meta(max_length=MAX_IMAGE_BASE64)]
Vector = Annotated[list[float], Meta(max_length=4000)]
ModelName = Annotated[str, Meta(max_length=40)]
EffectivePrice = Annotated[
    float | None,
    Meta(
        description="The price at the time of the answer. While a sale is on, this is the lower of `sale_price` and "
        "`price`; at other times it is `price`."
    ),
]
PriceBefore = Annotated[
    float | None,
    Meta(
        description="The price before a reduction: the higher of `price` and `compare_at_price`. Null if the effective "
        "price is not lower."
    ),
]
SortKeys = Annotated[str, Meta(min_length=1, max_length=MAX_SORT)]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
FacetName = Annotated[str, Meta(max_length=1011)]
Language = Annotated[
    Annotated[str, Meta(pattern="^[A-Za-z]+([_-][A-Za-z0-9]+)*$", max_length=63)] | None,
    Meta(description="The language of the words of the query, such as `de` or `german`. Default: that of the catalog."),
]
Correct = Annotated[
    bool,
    Meta(
        description="Whether misspelt words are corrected: for a word that no product has, products with similarly "
        "spelt words are found."
    ),
]
Corrected = Annotated[
    str | None,
    Meta(description="The query after its misspelt words were corrected; null if no word was corrected."),
]
Redirect = Annotated[str | None, Meta(description="The address to which a rule of the shop sends the shopper.")]
Banner = Annotated[str | None, Meta(description="The text that a rule of the shop shows with the results.")]
SearchId = Annotated[
    str, Meta(min_length=1, max_length=64, description="The id of the answer. Events name it as `search_id`.")
]
Similarity = Annotated[
    Annotated[float, Meta(ge=0, le=1)] | None,
    Meta(
        description="The cosine similarity of query and image; 0 if it is negative. Null if the product was not found "
        "by its image. With `sort` and without `group_by`, such a product has a similarity too if its image is encoded "
        "and the search compares images.",
    ),
]


class Weights(msgspec.Struct, forbid_unknown_fields=True):
    """The weight of each leg of the search. A leg of weight 0 is not run; null means the fitted weight."""

    image: Weight | None = None
    title: Weight | None = None
    keyword: Weight | None = None


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    top_k: TopK = 10
    filter: Annotated[dict[str, Any] | None, Meta(description="See docs/filters.md.")] = None
    catalog: Catalog = "main"
    weights: Weights | None = None
    min_similarity: Annotated[
        float | None, Meta(description="Exclude products whose image has a lower similarity than this value.")
    ] = None
    max_gap: Annotated[
        float | None,
        Meta(
            description="Exclude a product if the similarity of its image is lower than that of the most similar image "
            "by more than this value."
        ),
    ] = None
    cut: Annotated[
        Literal["relevant"] | None,
        Meta(
            description="`relevant` returns only products that are similar to the query, contain a word of the query, "
            "or are named by the query."
        ),
    ] = None
    sort: Annotated[
        SortKeys | None,
        Meta(
            description="Fields and signals by which the results are sorted, in place of the ranking. Examples: "
            "`effective_price`; `availability, margin desc`. `cut` is then `relevant`."
        ),
    ] = None
    group_by: Annotated[
        FacetName | None,
        Meta(
            description="A field such as `item_group_id`. For each of its values, only the best product is returned. "
            "`image` groups products with nearly equal images."
        ),
    ] = None
    diversity: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="The higher this value, the more the first products differ from each other in their looks; 0 "
            "leaves the ranking as it is. Not together with `sort`."
        ),
    ] = None
    signals: Annotated[
        dict[str, SignalWeight] | None,
        Meta(description='The weight of ranking signals in this search, such as `{"popularity": 0.3}`.'),
    ] = None
    rules: Annotated[Literal["off"] | None, Meta(description="`off` leaves out the rules of the shop.")] = None
    language: Language = None
    page: Annotated[
        Cursor | None,
        Meta(
            description="`next` of the previous page's answer. All options but `top_k` and `explain` must be the same "
            "as in that request."
        ),
    ] = None
    explain: Annotated[bool, Meta(description="Also return the steps of the search.")] = False

    def arguments(self) -> dict[str, Any]:
        """Returns the options as arguments of shop.search, which has no arguments for `explain` and `language`."""
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
            "cut": self.cut,
            "sort": self.sort,
            "group_by": self.group_by,
            "diversity": self.diversity,
            "signals": None if self.signals is None else as_json(self.signals),
            "rules": self.rules,
        }


class TextSearch(Options, forbid_unknown_fields=True, kw_only=True):
    query: Annotated[Text, Meta(description="A description of the product.")]
    correct: Correct = True

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"query": self.query, "degrade": True, "correct": self.correct}


class ChangeableSearch(Options, forbid_unknown_fields=True, kw_only=True):
    change: Annotated[
        Text | None,
        Meta(
            description="How the results should differ from the image or the inputs, such as `but red`. Not together "
            "with `query` or `weights`."
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"change": self.change}


class ImageSearch(ChangeableSearch, forbid_unknown_fields=True, kw_only=True):
    image: Annotated[bytes, Meta(description="An image file in base64, at most 10 MB.")]

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"image": self.image}


class ImageForm(ChangeableSearch, forbid_unknown_fields=True, kw_only=True):
    """Describes the parts of a form. The service reads the form as an ImageSearch."""

    image: Annotated[str, Meta(description="An image file of at most 10 MB.", extra_json_schema={"format": "binary"})]


class Input(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Has exactly one of text, image, sku and vector. With a negative weight, products like this input rank lower."""

    text: Text | None = None
    image: Annotated[Base64 | None, Meta(description="An image file in base64.")] = None
    sku: Sku | None = None
    vector: Vector | None = None
    model: Annotated[ModelName | None, Meta(description="Name of the model that computed the vector.")] = None
    weight: InputWeight | None = None


class GeneralSearch(ChangeableSearch, forbid_unknown_fields=True, kw_only=True):
    query: Text | None = None
    image: Annotated[bytes | None, Meta(description="An image file in base64, at most 10 MB.")] = None
    inputs: Annotated[list[Input], Meta(min_length=1, max_length=MAX_INPUTS)] | None = None
    correct: Correct = True

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "query": self.query,
            "correct": self.correct,
            "image": self.image,
            "inputs": None if self.inputs is None else as_json(self.inputs),
            # If no encoder runs, a query that has only a text can be searched by keywords, but a query with an image or
            # inputs cannot.
            "degrade": self.image is None and self.inputs is None,
        }


class Leg(msgspec.Struct):
    """The rank that one leg gives a product. The legs image and title rank by cosine distance, the leg keyword by
    score."""

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
    exact_match: Annotated[
        Literal["sku", "gtin", "mpn", "attribute", "brand", "text"] | None,
        Meta(
            description="The field by which the text of the query names this product; null if the text does not name "
            "it. Named products come first."
        ),
    ]
    shop_ranking: Annotated[
        float | None, Meta(description="What the signals and rules of the shop add to the score; null if none applies.")
    ] = None
    rules: Annotated[
        list[str] | None, Meta(description="The names of the rules that acted on the search; null if none did.")
    ] = None


class VariantGroup(msgspec.Struct):
    """The products that a result stands for. The prices are effective prices in the currency of the result."""

    value: Annotated[
        str | None,
        Meta(description="The value of the field; null for a product without a value, or if `group_by` is `image`."),
    ]
    products: Annotated[int, Meta(description="Number of products of the group that match.")]
    lowest_price: float | None
    highest_price: float | None


class Result(msgspec.Struct):
    rank: int
    sku: str
    title: str
    score: float
    brand: str | None
    product_type: str | None
    price: float | None
    effective_price: EffectivePrice
    price_before: PriceBefore
    currency: str | None
    availability: str | None
    color: str | None
    link: str | None
    picture: Picture | None
    why: Why
    similarity: Similarity = None
    group: Annotated[VariantGroup | None, Meta(description="Null without `group_by`.")] = None


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
    """The results of a page. `degraded` means that the text could not be encoded and only keywords were searched."""

    search_id: SearchId
    results: list[Result]
    total: Annotated[
        int | None,
        Meta(
            description="Number of products that pass the filter and the cut, encoded or not. With `group_by`, the "
            "number of groups."
        ),
    ]
    total_is: Literal["exact", "about", "at least"] | None
    route: Literal["exact", "hnsw", "bit", "label", "keyword"] | None
    rows_examined: int | None
    degraded: bool
    reason: Annotated[
        str | None, Meta(description="The reason why the results are incomplete or empty; otherwise null.")
    ]
    next: Annotated[str | None, Meta(description="Send this as `page` to get the next page; null on the last page.")]
    explain: list[Explained] | None = None
    corrected: Corrected = None
    redirect: Redirect = None
    banner: Banner = None


def as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
