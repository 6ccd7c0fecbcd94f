"""Shows how changes that a shop considers, such as a new rule, would change the searches of judged queries."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import Meta

from db.errors import DatabaseError
from db.evaluation import what_if
from web.api.attributes import ShownAttributes
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, answers
from web.http.problems import ApiError
from web.http.wording import for_rest

_FILTERS = ("hide", "boost", "bury", "filter")  # the actions of rules that take a filter
# SQLSTATE -> kind of the problem, for the errors whose message the client gets. 55000: a signal cannot be read.
_PROBLEMS = {"42704": "invalid", "54000": "invalid", "55000": "invalid", "55P03": "overloaded"}


class WhatIfIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes, as docs/relevance.md describes them, and the judged queries that are searched."""

    changes: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=100)]
    suite: Annotated[str, Meta(min_length=1, max_length=100, description="A suite of shop.judgement.")] = "default"
    k: Annotated[int, Meta(ge=1, le=100, description="The number of products of a first page.")] = 10


class QualityOut(msgspec.Struct):
    """Means for all judged queries, or the figures of one query. The figures are null if no query is judged."""

    ndcg_before: float | None
    ndcg_after: float | None
    recall_before: float | None
    recall_after: float | None


class PageOut(msgspec.Struct):
    """A query whose first page changes. The lists hold SKUs."""

    query: str
    catalog: str
    before: list[str]
    after: list[str]
    entered: list[str]
    gone: list[str]
    moved: list[str]
    quality: QualityOut


class WhatIfOut(msgspec.Struct):
    queries: int
    judged: Annotated[int, Meta(description="The number of queries with a relevant product.")]
    changed: Annotated[int, Meta(description="The number of queries whose first page changes.")]
    quality: QualityOut
    pages: Annotated[list[PageOut], Meta(description="The changed pages, the greatest loss of nDCG first.")]


@post(
    "/what-if",
    operation_id="whatIf",
    opt={"scope": "admin", "strict": True},
    status_code=200,
    responses=answers(WhatIfOut, *BODY, *KEYED, "encoder-unavailable"),
    security=KEY,
    tags=["Ranking"],
)
async def ask_what_if(request: Request[Any, Any, Any], state: State, data: JSONBody[WhatIfIn]) -> WhatIfOut:
    """Make changes, search with every query of a suite, and take the changes back. A key that is limited to
    catalogs is refused, and so is a signal of a new view."""
    KeyLimits.of(request).check_every_catalog()
    if any(isinstance(signal := change.get("signal"), dict) and "view" in signal for change in data.changes):
        raise ApiError(
            "invalid", "A signal of a new view is not possible here.", hint="Use SQL, or windowshop what-if."
        )
    ShownAttributes(state.settings.attributes).check([used for change in data.changes for used in _filters(change)])
    changes = msgspec.json.encode(data.changes).decode()
    try:
        async with state.what_ifs:  # one request of this kind at a time, so that connections are left for writes
            # Nothing is committed, so the statement may be cancelled when the client leaves.
            answer = await state.pools.read(
                request, lambda conn: what_if.ask(conn, changes, suite=data.suite, k=data.k), primary=True
            )
    except DatabaseError as error:
        problem = _PROBLEMS.get(error.sqlstate or "")
        if problem is None:
            raise
        raise ApiError(problem, for_rest(error.message), hint=for_rest(error.hint or "")) from error
    return msgspec.convert(answer, WhatIfOut, from_attributes=True)


def _filters(change: dict[str, Any]) -> list[Any]:
    """Return the filters of a change, whatever else it contains."""
    rule, products = (part if isinstance(part := change.get(kind), dict) else {} for kind in ("rule", "products"))
    condition, action = (part if isinstance(part := rule.get(name), dict) else {} for name in ("condition", "action"))
    return [products.get("filter"), condition.get("filter"), *(action.get(name) for name in _FILTERS)]
