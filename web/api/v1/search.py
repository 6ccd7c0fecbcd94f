"""POST /v1/search searches or lists products, and POST /v1/multi-search runs several such searches."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.params import JSONBody

from web.api.openapi import BODY, KEY, KEYED, answers
from web.api.search import DEGRADED, REFUSALS
from web.api.v1.finding import find
from web.api.v1.schemas import Found, ManyAnswers, MultiSearch, OneAnswer, ProductSearch
from web.http.bodies import decoded_aside
from web.http.context import context_of
from web.http.problems import ClientGone, problem_of

_route: dict[str, Any] = {
    "status_code": 200,
    "opt": {"scope": "search", "strict": True},
    "security": KEY,
    "tags": ["Search"],
}


@post("/search", operation_id="searchProducts", responses=answers(Found, *BODY, *REFUSALS), **_route)
async def search_products(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[ProductSearch],
) -> Response[Found]:
    """Search by a text, an image, the address of an image, a region of an image, or products and vectors. Without any
    of them, list the products that pass the filter."""
    found = await find(request, state, data)
    return Response(found, headers={DEGRADED: "keywords"} if found.degraded else None)


@post("/multi-search", operation_id="multiSearch", responses=answers(ManyAnswers, *BODY, *KEYED), **_route)
async def multi_search(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[MultiSearch],
) -> ManyAnswers:
    """Run up to 20 searches. A search that fails does not affect the others: it has a `problem` in place of results.
    The time limit of a request holds for all searches together: a search that it cuts off has the problem `timeout`.
    Each search counts towards the rate limit."""
    await state.access.count_more(request.scope, len(data.searches) - 1)
    # A tenth of the time limit is left for the answer.
    end = context_of(request.scope).deadline - state.settings.deadline_ms / 10_000
    return ManyAnswers([await _one(request, state, each, end) for each in data.searches])


async def _one(request: Request[Any, Any, Any], state: State, given: msgspec.Raw, end: float) -> OneAnswer:
    try:
        if asyncio.get_running_loop().time() >= end:
            raise TimeoutError
        async with asyncio.timeout_at(end):
            return OneAnswer(await find(request, state, await decoded_aside(bytes(given), ProductSearch)), None)
    except ClientGone:
        raise
    except Exception as error:
        return OneAnswer(None, problem_of(request, error)[0])
