"""Defines the tools. Each tool is a request of REST: the fields of its class are the arguments, the docstring is the
description that an assistant reads, and `request` gives the request. msgspec writes the JSON schema of the arguments.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from web.api.schemas import Base64, Catalog, Cursor, Sku, Text
from web.api.v1.schemas import WebAddress
from web.http.problems import ApiError
from web.mcp import answers

MAX_RESULTS = 50  # an assistant reads every result, so its pages are smaller than those of REST
MAX_VALUES = 100
SEARCH = "/v1/search"
STEPS = 20  # the steps of a search count as this many rows of the budget

Filter = Annotated[
    dict[str, Any] | None,
    Meta(
        description="Conditions that every result meets, by field. A value means equal, a list means any of its "
        "values, and null means no value. An object has operators: eq, ne, in, nin, gt, gte, lt, lte, exists, "
        "contains, prefix. `and` and `or` take a list of filters, and `not` takes a filter. Fields: sku, title, "
        "description, brand, product_type, color, size, material, condition, availability, currency, gtin, mpn, price, "
        "effective_price (the price today), sale_price, quantity, rating, review_count, created_at, updated_at; "
        "attributes.<key> for an attribute. Values are compared exactly, so first get them from the tool facets.",
        examples=[
            {"effective_price": {"lt": 80}, "color": ["black", "brown"]},
            {"or": [{"brand": "Nord"}, {"title": {"contains": "leather"}}], "attributes.strap_cm": {"gte": 50}},
        ],
    ),
]
Limit = Annotated[int, Meta(ge=1, le=MAX_RESULTS, description="Number of results.")]
Cut = Annotated[
    Literal["relevant"] | None,
    Meta(description="`relevant` returns only products that fit the query. Without it, other products fill the page."),
]
Page = Annotated[
    Cursor | None,
    Meta(description="`cursor` of the previous answer, for the next page. The other arguments must be the same."),
]
ImageUrl = Annotated[
    WebAddress | None, Meta(description="Public web address of an image, to find products like it. At most 10 MB.")
]


@dataclass(frozen=True, slots=True)
class RestRequest:
    method: Literal["GET", "POST"]
    path: str
    query: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None

    @property
    def query_string(self) -> bytes:
        return urlencode(_given(self.query or {})).encode()


class Tool(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    catalog: Catalog = "main"

    @property
    @abstractmethod
    def rows(self) -> int:
        """The number of rows that the call counts towards the budget of the key."""

    @abstractmethod
    def request(self) -> RestRequest: ...

    def shortened(self, answer: Mapping[str, Any], site: str | None) -> dict[str, Any]:
        """Returns the part of REST's answer that an assistant gets. `site` is the address of the service; None on
        stdio."""
        return answers.page(answer, site)


class PageTool(Tool, forbid_unknown_fields=True, kw_only=True):
    """A tool whose answer is a page of results."""

    filter: Filter = None
    cut: Cut = None
    limit: Limit = 5
    cursor: Page = None

    @property
    def rows(self) -> int:
        return self.limit

    def page_options(self) -> dict[str, Any]:
        return {"catalog": self.catalog, "cut": self.cut, "top_k": self.limit, "page": self.cursor}


class SearchTool(PageTool, forbid_unknown_fields=True, kw_only=True):
    """Search the products of the shop by what they look like and what their words say.

    Give query, an image (image or image_url), or sku. Together they find products that fit all of them, best first.
    Without them, the products that pass the filter are listed. Every product is somewhat similar, so set cut to
    relevant to get only products that fit. Put conditions that must hold (price, color, brand) into filter and not only
    into query. In query, "two words" must stand together, and -word excludes products that have the word.
    `effective_price` is the price today, and `price` the one without a sale. `similarity` is that of query and image,
    from 0 to 1.
    """

    query: Annotated[Text | None, Meta(description="A description, such as: black leather backpack.")] = None
    image: Annotated[Base64 | None, Meta(description="An image file in base64, to find products like it.")] = None
    image_url: ImageUrl = None
    sku: Annotated[Sku | None, Meta(description="SKU of a product, to find products like it.")] = None

    def request(self) -> RestRequest:
        return RestRequest("POST", SEARCH, body=self._body())

    def _body(self) -> dict[str, Any]:
        inputs = self.sku and [{"sku": self.sku}]
        asked = {"query": self.query, "image": self.image, "image_url": self.image_url, "inputs": inputs}
        return _given(asked | self.page_options() | {"filter": self.filter})


class SimilarTool(PageTool, forbid_unknown_fields=True, kw_only=True):
    """Find products that look like a product of the shop, without that product itself, or like an image on the web.
    Give sku or image_url. The best results come first."""

    sku: Sku | None = None
    image_url: ImageUrl = None

    def request(self) -> RestRequest:
        if (self.sku is None) == (self.image_url is None):
            raise ApiError("invalid", "Give sku or image_url, and not both.")
        if self.sku is None:
            asked = {"image_url": self.image_url, "filter": self.filter}
            return RestRequest("POST", SEARCH, body=_given(asked | self.page_options()))
        query = self.page_options() | {"filter": self.filter and msgspec.json.encode(self.filter).decode()}
        return RestRequest("GET", f"/v1/products/{quote(self.sku, safe='')}/similar", query=query)


class ProductTool(Tool, forbid_unknown_fields=True, kw_only=True):
    """Read all fields of a product: description, prices, stock, attributes and images."""

    sku: Sku

    @property
    def rows(self) -> int:
        return 1

    def request(self) -> RestRequest:
        return RestRequest("GET", f"/v1/products/{quote(self.sku, safe='')}", query={"catalog": self.catalog})

    def shortened(self, answer: Mapping[str, Any], site: str | None) -> dict[str, Any]:
        return answers.product(answer, site)


class FacetsTool(Tool, forbid_unknown_fields=True, kw_only=True):
    """Count the products for each value of fields, such as brand or color. Use it to learn which values a filter can
    have and how many products a filter leaves.

    Each value has the filter that finds its products. Only the count of all other values has no filter. Prices are
    ranges. With query and cut, only products that fit the query are counted.
    """

    fields: Annotated[
        list[Annotated[str, Meta(max_length=1011)]],
        Meta(min_length=1, max_length=20, description="Fields of a filter, such as attributes.strap_cm."),
    ] = msgspec.field(default_factory=lambda: ["product_type", "brand", "color", "effective_price"])
    filter: Filter = None
    query: Annotated[Text | None, Meta(description="Only together with cut.")] = None
    cut: Cut = None
    limit: Annotated[int, Meta(ge=1, le=MAX_VALUES, description="Number of values of each field.")] = 10

    @property
    def rows(self) -> int:
        return self.limit * len(self.fields)

    def request(self) -> RestRequest:
        body = {
            "fields": self.fields,
            "filter": self.filter,
            "catalog": self.catalog,
            "query": self.query,
            "cut": self.cut,
            "limit_values": self.limit,
            "buckets": self.limit,
        }
        return RestRequest("POST", "/v1/facets", body=_given(body))

    def shortened(self, answer: Mapping[str, Any], site: str | None) -> dict[str, Any]:
        return answers.facets(answer)


class ExplainTool(SearchTool, forbid_unknown_fields=True, kw_only=True):
    """Explain how a search runs: its steps with the index, the number of rows and the time of each step, and the SKUs
    that it finds. Takes the arguments of the tool `search`. Use it to find out why a search is slow or misses a
    product.
    """

    @property
    def rows(self) -> int:
        return self.limit + STEPS

    def request(self) -> RestRequest:
        return RestRequest("POST", SEARCH, body={**self._body(), "explain": True})

    def shortened(self, answer: Mapping[str, Any], site: str | None) -> dict[str, Any]:
        return answers.steps(answer)


TOOLS: Mapping[str, type[Tool]] = {
    "search": SearchTool,
    "similar": SimilarTool,
    "product": ProductTool,
    "facets": FacetsTool,
    "explain": ExplainTool,
}


def description(tool: type[Tool]) -> str:
    return cleandoc(tool.__doc__ or "")


def schema(tool: type[Tool]) -> dict[str, Any]:
    """Returns the JSON schema of the tool's arguments, without references. A null is accepted like an absent argument,
    but the schema does not mention it, because assistants read every line."""
    _, schemas = msgspec.json.schema_components([tool])
    found = schemas[tool.__name__]
    return {
        "type": "object",
        "properties": {name: _without_null(field) for name, field in found["properties"].items()},
        "required": found["required"],
        "additionalProperties": False,
    }


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in field.items() if name != "anyOf" and (name, value) != ("default", None)}
    for choice in field.get("anyOf", ()):
        shown |= choice if choice != {"type": "null"} else {}
    return shown


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
