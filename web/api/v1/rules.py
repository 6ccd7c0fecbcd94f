"""Lists, saves and deletes rules, which say what a search does under a condition, and lists the signals."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta
from sqlalchemy import Connection

from db.errors import DatabaseError
from db.search import rules, signals
from web.api.attributes import ShownAttributes
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, REPEATABLE, UNCHANGED, answers
from web.api.schemas import MAX_CATALOG, Catalog
from web.api.v1.versions import ETAG, IfMatch, IfNoneMatch, is_named, tag_of, versions
from web.http.idempotency import IDEMPOTENT
from web.http.problems import ApiError
from web.http.wording import for_rest

_ROWS = 1000  # the most rules in one answer
_MOST = 2**31 - 1
_FILTERS = ("hide", "boost", "bury", "filter")  # the actions that take a filter

CHANGED = "The rule has been changed since it was read."
Changed = TypeVar("Changed", rules.Rule, bool)

Time = Annotated[datetime, Meta(tz=True)]


class RuleIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a search does under a condition. docs/relevance.md lists the conditions and the actions."""

    name: Annotated[
        str,
        Meta(min_length=1, max_length=100, pattern=r"\S", description="No other rule of the catalog has this name."),
    ]
    condition: Annotated[
        dict[str, Any], Meta(description="The condition under which the rule applies, such as an exact query.")
    ]
    action: Annotated[dict[str, Any], Meta(description="What the rule does, such as a pinned product.")]
    catalog: Catalog = "main"
    status: Annotated[Literal["draft", "live"], Meta(description="Searches follow live rules.")] = "draft"
    priority: Annotated[
        int,
        Meta(
            ge=-_MOST,
            le=_MOST,
            description="If two rules contradict each other, only the rule with the higher number acts.",
        ),
    ] = 0
    valid_from: Time | None = None
    valid_to: Time | None = None


class RuleOut(RuleIn, kw_only=True):
    rule_id: int
    updated_at: datetime


class Rules(msgspec.Struct):
    rules: list[RuleOut]
    next: Annotated[int | None, Meta(description="Send this as `after` for the next rules; null if there are no more.")]


class SignalOut(msgspec.Struct):
    name: str
    source: Annotated[str | None, Meta(description="The view with the numbers; null for a built-in signal.")]
    weight: Annotated[float, Meta(description="The weight in a search if neither the search nor a rule sets a weight.")]
    visible: Literal["all", "staff"]
    refreshed_at: datetime | None
    problem: Annotated[str | None, Meta(description="Why the signal cannot be read; searches then leave it out.")]


class Signals(msgspec.Struct):
    signals: list[SignalOut]


_route: dict[str, Any] = {"security": KEY, "tags": ["Ranking"]}
_READS: dict[str, Any] = {"scope": "admin", "strict": True}
_WRITES: dict[str, Any] = {**_READS, IDEMPOTENT: True}
RuleId = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]


@get("/rules", operation_id="listRules", opt=_READS, responses=answers(Rules, *KEYED), **_route)
async def list_rules(
    request: Request[Any, Any, Any],
    state: State,
    catalog: Annotated[
        str | None, QueryParameter(max_length=MAX_CATALOG, description="Only rules of this catalog.")
    ] = None,
    after: Annotated[int, QueryParameter(ge=0, le=2**63 - 1, description="`next` of the previous answer.")] = 0,
) -> Rules:
    """List the rules, live ones and drafts, at most 1,000 in an answer."""
    limits = KeyLimits.of(request)
    if catalog is None:
        limits.check_every_catalog()
    else:
        limits.check_catalog(catalog)
    found = await state.pools.read(
        request, lambda conn: rules.read(conn, catalog, after=after, rows=_ROWS), primary=True
    )  # from the primary, because the client may write back what it reads
    return Rules([_out(row) for row in found], found[-1].rule_id if len(found) == _ROWS else None)


@post(
    "/rules",
    operation_id="createRule",
    opt=_WRITES,
    response_headers=ETAG,
    responses=answers(RuleOut, *BODY, *KEYED, *REPEATABLE, "encoder-unavailable", status=201),
    **_route,
)
async def create_rule(request: Request[Any, Any, Any], state: State, data: JSONBody[RuleIn]) -> Response[RuleOut]:
    """Save a new rule. If it is live, searches follow it at once. A rule that cannot work is refused."""
    created = await state.pools.write(request, _saving(request, state, data, lambda conn, rule: rules.add(conn, rule)))
    return _tagged(created)


@get(
    "/rules/{rule_id:int}",
    operation_id="readRule",
    opt=_READS,
    response_headers=ETAG,
    responses=answers(RuleOut, *KEYED, "not-found") | UNCHANGED,
    **_route,
)
async def read_rule(request: Request[Any, Any, Any], state: State, rule_id: RuleId) -> Response[RuleOut]:
    """Read a rule. With If-None-Match, the answer is 304 if the rule is unchanged."""
    found = await state.pools.read(request, lambda conn: rules.find(conn, rule_id), primary=True)
    rule = _existing(request, rule_id, found)
    answer = _tagged(_out(rule))
    if is_named(request.headers.get("if-none-match"), rule.updated_at):
        return Response(None, status_code=304, headers=answer.headers)  # type: ignore[arg-type]  # a 304 has no body
    return answer


@put(
    "/rules/{rule_id:int}",
    operation_id="replaceRule",
    opt=_WRITES,
    response_headers=ETAG,
    responses=answers(RuleOut, *BODY, *KEYED, *REPEATABLE, "not-found", "changed", "encoder-unavailable"),
    **_route,
)
async def replace_rule(
    request: Request[Any, Any, Any],
    state: State,
    rule_id: RuleId,
    data: JSONBody[RuleIn],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[RuleOut]:
    """Replace a rule. A field that the body lacks gets its default."""
    wanted = versions(if_match)

    def replace(conn: Connection, rule: rules.NewRule) -> rules.Rule:
        old = _existing(request, rule_id, rules.find(conn, rule_id))
        if is_named(if_none_match, old.updated_at):
            raise ApiError("changed", f"There is already a rule {rule_id}.", hint="If-None-Match forbids the change.")
        return _changed(request, conn, rule_id, rules.replace(conn, old, rule, wanted))

    return _tagged(await state.pools.write(request, _saving(request, state, data, replace)))


@delete(
    "/rules/{rule_id:int}",
    operation_id="deleteRule",
    opt=_WRITES,
    status_code=204,
    responses=answers(None, *KEYED, *REPEATABLE, "not-found", "changed", status=204),
    **_route,
)
async def delete_rule(request: Request[Any, Any, Any], state: State, rule_id: RuleId, if_match: IfMatch = None) -> None:
    """Delete a rule."""
    wanted = versions(if_match)

    def remove(conn: Connection) -> None:
        old = _existing(request, rule_id, rules.find(conn, rule_id))
        _changed(request, conn, rule_id, rules.remove(conn, old, wanted))

    await state.pools.write(request, remove)


@get("/signals", operation_id="listSignals", opt=_READS, responses=answers(Signals, *KEYED), **_route)
async def list_signals(request: Request[Any, Any, Any], state: State) -> Signals:
    """List the signals. A signal is a number for each product, and changes the ranking of searches."""
    KeyLimits.of(request).check_every_catalog()
    # The login web_writer, which reads from the primary, also sees the signals that only staff may see.
    found = await state.pools.read(request, signals.state, primary=True)
    return Signals(
        [SignalOut(one.name, one.source, one.weight, one.visible, one.refreshed_at, one.problem) for one in found]
    )


def _saving(
    request: Request[Any, Any, Any],
    state: State,
    data: RuleIn,
    save: Callable[[Connection, rules.NewRule], rules.Rule],
) -> Callable[[Connection], RuleOut]:
    """Return a function that saves the rule, and that raises ApiError if the rule names something that does not exist.
    Raises ApiError if the key does not allow the catalog, or if the rule reads a hidden attribute."""
    KeyLimits.of(request).check_catalog(data.catalog)
    ShownAttributes(state.settings.attributes).check(
        [data.condition.get("filter"), *(data.action.get(action) for action in _FILTERS)]
    )
    rule = rules.NewRule(
        name=data.name,
        condition=msgspec.json.encode(data.condition).decode(),
        action=msgspec.json.encode(data.action).decode(),
        catalog=data.catalog,
        status=data.status,
        priority=data.priority,
        valid_from=data.valid_from,
        valid_to=data.valid_to,
    )

    def call(conn: Connection) -> RuleOut:
        try:
            return _out(save(conn, rule))
        except DatabaseError as error:
            if error.sqlstate != "42704":
                raise
            raise ApiError("invalid", for_rest(error.message), hint=for_rest(error.hint or "")) from error

    return call


def _existing(request: Request[Any, Any, Any], rule_id: int, found: rules.Rule | None) -> rules.Rule:
    """Return the rule. Raises ApiError if there is none, or if the key does not allow its catalog."""
    if found is None or not KeyLimits.of(request).allows_catalog(found.catalog):
        raise ApiError("not-found", f"There is no rule {rule_id}.")
    return found


def _changed(request: Request[Any, Any, Any], conn: Connection, rule_id: int, found: Changed | None) -> Changed:
    """Return what a write returned. Raises ApiError if the write changed no rule: the rule does not exist, it no longer
    has the version that the client names, or the key does not allow the present catalog of the rule."""
    if found:
        return found
    _existing(request, rule_id, rules.find(conn, rule_id))
    raise ApiError("changed", CHANGED, hint="Read the rule, and change it again.")


def _tagged(rule: RuleOut) -> Response[RuleOut]:
    return Response(rule, headers={"ETag": tag_of(rule.updated_at), "Cache-Control": "no-cache"})


def _out(row: rules.Rule) -> RuleOut:
    return RuleOut(
        rule_id=row.rule_id,
        name=row.name,
        condition=msgspec.json.decode(row.condition),
        action=msgspec.json.decode(row.action),
        catalog=row.catalog,
        status=row.status,  # type: ignore[arg-type]  # a check constraint of shop.rule allows only these values
        priority=row.priority,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        updated_at=row.updated_at,
    )
