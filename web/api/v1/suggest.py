"""GET /v1/suggest completes what a shopper types."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.params import QueryParameter
from msgspec import Meta
from sqlalchemy import Connection

from db.functions.suggestion_constants import MAX_SUGGESTIONS
from db.search import suggestions
from db.search.ranking import SearchParams
from db.search.suggestions import KINDS
from web.api.key_limits import KeyLimits
from web.api.openapi import KEY, KEYED, answers
from web.api.schemas import MAX_CATALOG
from web.http.problems import ApiError

MAX_PREFIX = 1000  # a prefix of more than 200 characters gets no suggestions, but no error either

Kind = Literal["query", "type", "brand", "product"]


class Suggested(msgspec.Struct):
    """A suggestion. If its kind is `product`, the text is a title, and `sku` names the product."""

    kind: Kind
    text: str
    count: Annotated[
        int | None,
        Meta(
            description="For a query, the number of visitors who searched for it. For a type or brand, the number of "
            "its products. For a title, null."
        ),
    ]
    sku: str | None
    corrected: Annotated[bool, Meta(description="Whether the prefix was corrected, or is only similar to the text.")]


class Suggestions(msgspec.Struct):
    suggestions: list[Suggested]


@get(
    "/suggest",
    operation_id="suggest",
    opt={"scope": "search", "strict": True},
    security=KEY,
    tags=["Search"],
    responses=answers(Suggestions, *KEYED, "not-found"),
)
async def suggest(
    request: Request[Any, Any, Any],
    state: State,
    prefix: Annotated[str, QueryParameter(max_length=MAX_PREFIX, description="What the shopper has typed.")] = "",
    top_k: Annotated[int, QueryParameter(ge=1, le=MAX_SUGGESTIONS, description="Number of suggestions.")] = 10,
    catalog: Annotated[str, QueryParameter(max_length=MAX_CATALOG)] = "main",
    kinds: Annotated[
        str | None, QueryParameter(max_length=100, description="Kinds of suggestions, such as `query,brand`.")
    ] = None,
) -> Suggestions:
    """Suggest product types, brands, titles, and queries that found something. In a query, type or brand, the prefix
    stands at the beginning of one of the first six words. A title begins with the prefix. If nothing is found in this
    way, prefixes with two neighbouring letters exchanged are tried, and then queries, types and brands with a similar
    word. A key with a filter gets no queries, and its counts are those of the products that it may see."""
    limits = KeyLimits.of(request)
    limits.check_catalog(catalog)
    wanted = KINDS if kinds is None else tuple(kinds.split(","))
    if not set(wanted) <= set(KINDS):
        raise ApiError("invalid", "kinds names an unknown kind of suggestion.", hint=f"Kinds are {', '.join(KINDS)}.")
    filter_ = limits.narrowed(SearchParams()).filter

    def read(conn: Connection) -> Suggestions:
        rows = suggestions.suggest(conn, prefix, catalog, top_k, wanted, filter_)
        return Suggestions([Suggested(row.kind, row.text, row.count, row.sku, row.corrected) for row in rows])  # type: ignore[arg-type]  # shop.suggest returns no other kinds

    found: Suggestions = await state.pools.read(request, read)
    return found
