"""Defines the bodies of POST /v1/search and POST /v1/multi-search."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from web.api.facet_schemas import FacetOf
from web.api.schemas import (
    Banner,
    Corrected,
    EffectivePrice,
    Explained,
    FacetName,
    GeneralSearch,
    Picture,
    PriceBefore,
    Redirect,
    SearchId,
    Similarity,
    VariantGroup,
    Why,
)
from web.http.problems import ApiError, Problem

MAX_SEARCHES = 20  # the searches of one request run one after the other, within the time limit of one request
WebAddress = Annotated[str, Meta(pattern="^[Hh][Tt][Tt][Pp][Ss]?://", max_length=2000)]
Field = Literal[
    "rank", "sku", "title", "score", "similarity", "brand", "product_type", "price", "effective_price", "price_before",
    "currency", "availability", "color", "link", "picture", "why", "group", "description", "gtin", "mpn",
    "item_group_id", "image_link", "size", "material", "condition", "sale_price", "sale_starts_at", "sale_ends_at",
    "compare_at_price", "quantity", "rating", "review_count", "published_at", "attributes", "updated_at", "highlights",
]  # fmt: skip


# `Box.check` refuses 0 and less, with a message that names the fault.
_Length = Meta(le=1, extra_json_schema={"exclusiveMinimum": 0})


class Box(msgspec.Struct, forbid_unknown_fields=True):
    """A region of an image. The numbers are shares of the width and height of the upright image, as a viewer shows it:
    `left` and `top` are the distances of the region from the left and upper edge."""

    left: Annotated[float, Meta(ge=0, le=1)]
    top: Annotated[float, Meta(ge=0, le=1)]
    width: Annotated[float, _Length]
    height: Annotated[float, _Length]

    def check(self) -> None:
        """Raises ApiError if the region has no area or reaches outside the image."""
        if self.width <= 0 or self.height <= 0:
            raise ApiError("invalid", "The box has no area: its width and its height must be more than 0.")
        for start, length in (("left", "width"), ("top", "height")):
            end = getattr(self, start) + getattr(self, length)
            if end > 1 + 1e-9:  # a sum such as 0.1 + 0.9 may be a little more than 1
                raise ApiError("invalid", f"The box reaches outside the image: {start} + {length} is {end:g}, above 1.")


class ProductSearch(GeneralSearch, forbid_unknown_fields=True, kw_only=True):
    """A search by a text, an image or inputs, or by several of them. A request that has none of them lists the products
    that pass the filter, in the order of `sort` or in a fixed order."""

    image_url: Annotated[
        WebAddress | None, Meta(description="Public web address of an image of at most 10 MB, in place of `image`.")
    ] = None
    box: Annotated[Box | None, Meta(description="Search by this region of the image only.")] = None
    facets: Annotated[
        Annotated[list[FacetName], Meta(min_length=1, max_length=20)] | None,
        Meta(
            description="Also count the values of these fields, as POST /v1/facets does with the same filter and cut."
        ),
    ] = None
    fields: Annotated[
        Annotated[list[Field], Meta(min_length=1, max_length=50)] | None,
        Meta(description="The fields of each result, besides `rank` and `sku`."),
    ] = None

    @property
    def is_browsing(self) -> bool:
        return self.query is None and self.image is None and self.image_url is None and self.inputs is None

    def check(self) -> None:
        """Raises ApiError if options do not fit together, the query is empty or the box is faulty."""
        if self.image is not None and self.image_url is not None:
            raise ApiError("invalid", "Give image or image_url, not both.")
        if self.box is not None:
            if self.image is None and self.image_url is None:
                raise ApiError("invalid", "A box needs image or image_url.")
            self.box.check()
        if self.query is not None and not self.query.strip():
            raise ApiError(
                "invalid", "The query is empty.", hint="Without query, image and inputs, products are listed."
            )
        if self.is_browsing:
            ranked = (
                "change", "group_by", "diversity", "weights", "signals", "language", "min_similarity", "max_gap",
                "explain",
            )  # fmt: skip
            if without := [name for name in ranked if getattr(self, name) not in (None, False)]:
                what = "an image, an image_url or inputs" if without[0] == "change" else "a query, an image or inputs"
                raise ApiError("invalid", f"{without[0]} needs {what}.")


class Hit(msgspec.Struct, kw_only=True):
    """A result. `rank` and `sku` are always present. The other fields are those that `fields` of the request names.
    Without `fields`, they are the fields from `title` to `group`. `score` and `why` are null if the request has no
    query, no image and no inputs."""

    rank: int
    sku: str
    title: str | UnsetType = UNSET
    score: float | UnsetType | None = UNSET
    similarity: Similarity | UnsetType = UNSET
    brand: str | UnsetType | None = UNSET
    product_type: str | UnsetType | None = UNSET
    price: float | UnsetType | None = UNSET
    effective_price: EffectivePrice | UnsetType = UNSET
    price_before: PriceBefore | UnsetType = UNSET
    currency: str | UnsetType | None = UNSET
    availability: str | UnsetType | None = UNSET
    color: str | UnsetType | None = UNSET
    link: str | UnsetType | None = UNSET
    picture: Picture | UnsetType | None = UNSET
    why: Why | UnsetType | None = UNSET
    group: VariantGroup | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    gtin: str | UnsetType | None = UNSET
    mpn: str | UnsetType | None = UNSET
    item_group_id: str | UnsetType | None = UNSET
    image_link: str | UnsetType | None = UNSET
    size: str | UnsetType | None = UNSET
    material: str | UnsetType | None = UNSET
    condition: str | UnsetType | None = UNSET
    sale_price: float | UnsetType | None = UNSET
    sale_starts_at: datetime | UnsetType | None = UNSET
    sale_ends_at: datetime | UnsetType | None = UNSET
    compare_at_price: float | UnsetType | None = UNSET
    quantity: int | UnsetType | None = UNSET
    rating: float | UnsetType | None = UNSET
    review_count: int | UnsetType | None = UNSET
    published_at: datetime | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET
    highlights: (
        Annotated[
            dict[str, list[Annotated[list[int], Meta(min_length=2, max_length=2)]]],
            Meta(
                description="The places of the query's words in `title` and `description`: the first character, "
                "from 0, and the number of characters, in Unicode code points."
            ),
        ]
        | UnsetType
    ) = UNSET


_NAMES = Hit.__struct_fields__
_FIRST_COLUMN = _NAMES.index("description")
DEFAULT_FIELDS = _NAMES[_NAMES.index("title") : _FIRST_COLUMN]
COLUMNS = _NAMES[_FIRST_COLUMN:-1]  # the columns of shop.product that are read only if `fields` names them


class Found(msgspec.Struct, kw_only=True):
    """The results of a page. `degraded` means that the text could not be encoded and only keywords were searched.
    `facets` is null without `facets` in the request."""

    search_id: SearchId
    results: list[Hit]
    total: Annotated[
        int | None,
        Meta(
            description="Number of products that pass the filter and the cut, encoded or not. With `group_by`, the "
            "number of groups."
        ),
    ]
    total_is: Literal["exact", "about", "at least"] | None
    route: Annotated[
        Literal["exact", "hnsw", "bit", "label", "keyword"] | None,
        Meta(description="How products were found; null for a list."),
    ]
    rows_examined: int | None
    degraded: bool
    reason: Annotated[
        str | None, Meta(description="The reason why the results are incomplete or empty; otherwise null.")
    ]
    next: Annotated[str | None, Meta(description="Send this as `page` to get the next page; null on the last page.")]
    facets: list[FacetOf] | None = None
    explain: list[Explained] | None = None
    corrected: Corrected = None
    redirect: Redirect = None
    banner: Banner = None


class MultiSearch(msgspec.Struct, forbid_unknown_fields=True):
    searches: Annotated[
        list[Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/ProductSearch"})]],
        Meta(min_length=1, max_length=MAX_SEARCHES, description="Searches, which run one after the other."),
    ]


class OneAnswer(msgspec.Struct):
    """The answer to one search: `found`, or the `problem` of a search that failed."""

    found: Found | None
    problem: Problem | None


class ManyAnswers(msgspec.Struct):
    """The answers, in the order of the searches."""

    answers: list[OneAnswer]
