"""Shows, previews, saves and deletes synonyms and rules, and makes rules live or drafts."""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Redirect
from sqlalchemy import Connection

from db.errors import DatabaseError
from db.evaluation import what_if
from db.search import details, rules, synonyms
from db.search.rules import Rule
from web.api.key_limits import KeyLimits
from web.api.v1.versions import tag_of, versions
from web.http.problems import ApiError, problem_of
from web.http.wording import for_rest
from web.page.brand.languages import gettext, marked
from web.page.staff.forms import fields, new_rule, rule_in, synonym_in
from web.page.staff.showing import choice, done, page
from web.page.staff.wording import TEXT_OF_ACTION, THEN, WHEN

Kind = Literal["rules", "synonyms"]

_ADMIN: dict[str, Any] = {"scope": "admin"}
_ROWS = 1000  # the most rules or synonyms on a page
_PAGES = 10  # a preview shows at most this many changed searches
_REFUSED = ("42704", "54000", "23502", "23505", "23514")  # a name that does not exist, a limit, or a bad row


@get("/synonyms", opt=_ADMIN)
async def show_synonyms(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    return await _shown(request, state, "synonyms", {"terms": request.query_params.get("term", "")})


@get("/rules", opt=_ADMIN)
async def show_rules(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    return await _shown(request, state, "rules", {"when_value": request.query_params.get("term", "")})


@post("/synonyms", opt=_ADMIN, status_code=200)
async def add_synonym(request: Request[Any, Any, Any], state: State) -> Response[Any]:
    form = await fields(request)
    chosen = await choice(request, state, form.get("catalog", ""))
    try:
        new = synonym_in(form, chosen.catalog)
        if new.catalog is None:
            KeyLimits.of(request).check_every_catalog()

        def add(conn: Connection) -> None:
            with _refusing():
                synonyms.add(conn, new.terms, new.from_term, catalog=new.catalog, language=new.language)

        await state.pools.write(request, add)
    except (ApiError, DatabaseError) as error:
        return await _shown(request, state, "synonyms", form, error=error)
    return done("synonyms", chosen.catalog, "synonym")


@post("/rules", opt=_ADMIN, status_code=200)
async def add_rule(request: Request[Any, Any, Any], state: State) -> Response[Any]:
    form = await fields(request)
    chosen = await choice(request, state, form.get("catalog", ""))
    try:
        new = new_rule(rule_in(form, chosen.catalog, state.settings.attributes))

        def add(conn: Connection) -> None:
            with _refusing():
                rules.add(conn, new)

        await state.pools.write(request, add)
    except (ApiError, DatabaseError) as error:
        return await _shown(request, state, "rules", form, error=error)
    return done("rules", chosen.catalog, "rule")


@post("/synonyms/delete", opt=_ADMIN, status_code=200)
async def delete_synonym(request: Request[Any, Any, Any], state: State) -> Redirect:
    form = await fields(request)
    chosen = await choice(request, state, form.get("catalog", ""))
    limits = KeyLimits.of(request)

    def remove(conn: Connection) -> None:
        removed = synonyms.remove(conn, _number(form, "synonym"))
        if removed is None or (removed.catalog is not None and not limits.allows_catalog(removed.catalog)):
            raise ApiError("not-found", marked("This synonym does not exist any more."))  # rolls the transaction back
        if removed.catalog is None:
            limits.check_every_catalog()

    await state.pools.write(request, remove)
    return done("synonyms", chosen.catalog, "no-synonym")


@post("/rules/{action:str}", opt=_ADMIN, status_code=200)
async def change_rule(request: Request[Any, Any, Any], state: State, action: FromPath[str]) -> Redirect:
    """Delete a rule, or make it live or a draft."""
    if action not in ("delete", "live", "draft"):
        raise ApiError("not-found")
    form = await fields(request)
    chosen = await choice(request, state, form.get("catalog", ""))
    limits, wanted = KeyLimits.of(request), versions(form.get("version"))

    def change(conn: Connection) -> None:
        rule = rules.find(conn, _number(form, "rule"))
        if rule is None or not limits.allows_catalog(rule.catalog):
            raise ApiError("not-found", marked("This rule does not exist any more."))
        with _refusing():
            if action == "delete":
                is_changed = rules.remove(conn, rule, wanted)
            else:
                is_changed = rules.switch(conn, rule, action, wanted)
        if not is_changed:
            raise ApiError("changed", marked("Somebody else has changed the rule. Look at it again."))

    await state.pools.write(request, change)
    return done("rules", chosen.catalog, "no-rule" if action == "delete" else action)


@post("/preview/{kind:str}", opt=_ADMIN, status_code=200)
async def preview(request: Request[Any, Any, Any], state: State, kind: FromPath[str]) -> Response[bytes]:
    """Show what a rule or a synonym would do. Nothing is saved."""
    if kind not in ("rules", "synonyms"):
        raise ApiError("not-found")
    form = await fields(request)
    chosen = await choice(request, state, form.get("catalog", ""))
    seen: dict[str, Any]
    status = 200
    try:
        KeyLimits.of(request).check_every_catalog()  # the judged searches are of all catalogs
        if kind == "rules":
            rule = rule_in({**form, "name": f"preview {token_hex(8)}"}, chosen.catalog, state.settings.attributes)
            change: dict[str, Any] = {"rule": {**msgspec.to_builtins(rule), "status": "live"}}
            asked = [rule.condition[name] for name in ("query", "contains", "similar") if name in rule.condition]
        else:
            synonym = synonym_in(form, chosen.catalog)
            change = {"synonym": msgspec.to_builtins(synonym)}
            asked = [synonym.from_term] if synonym.from_term else synonym.terms[:5]
        async with state.staff_previews:
            seen = await state.pools.write(request, lambda conn: _compared(conn, change, asked, chosen.catalog))
    except (ApiError, DatabaseError) as error:
        problem, _ = problem_of(request, error)
        seen, status = {"refused": problem}, problem.status
    if request.headers.get("hx-request") == "true":
        return page(request, "preview.html", status=status, seen=seen)
    return await _shown(request, state, "rules" if kind == "rules" else "synonyms", form, seen=seen, status=status)


def _compared(conn: Connection, change: dict[str, Any], asked: list[str], catalog: str) -> dict[str, Any]:
    """Returns what a change does to the judged searches and to the searches for the texts `asked`. Also returns the
    first changed searches, each with the titles of its products."""
    saved = conn.begin_nested()
    try:
        what_if.ask_also(conn, asked, catalog)
        with _refusing():
            answer = what_if.ask(conn, msgspec.json.encode([change]).decode())
    finally:
        saved.rollback()
    pages = [
        (one, details.titles(conn, one.catalog, sorted({*one.before, *one.after}))) for one in answer.pages[:_PAGES]
    ]
    return {"answer": answer, "pages": pages}


async def _shown(
    request: Request[Any, Any, Any],
    state: State,
    kind: Kind,
    form: dict[str, str],
    *,
    error: Exception | None = None,
    seen: dict[str, Any] | None = None,
    status: int = 200,
) -> Response[bytes]:
    """Returns the page of synonyms or rules, with the values of the form."""
    chosen = await choice(request, state, str(form.get("catalog") or request.query_params.get("catalog", "")))
    problem = None if error is None else problem_of(request, error)[0]

    def read(conn: Connection) -> Any:
        if kind == "rules":
            return rules.read(conn, chosen.catalog, rows=_ROWS)
        return synonyms.read(conn, chosen.catalog, rows=_ROWS)

    rows = await state.pools.read(request, read, primary=True)  # a standby may lack what was just saved
    return page(
        request,
        f"{kind}.html",
        chosen,
        status=status if problem is None else problem.status,
        problem=problem,
        rows=[(row, *_words(row)) for row in rows] if kind == "rules" else rows,
        form=form,
        seen=seen,
        whens=WHEN,
        thens=THEN,
        tag_of=tag_of,
    )


def _words(rule: Rule) -> tuple[str, str]:
    """Returns the condition and the action of a rule in words."""
    condition, action = msgspec.json.decode(rule.condition), msgspec.json.decode(rule.action)
    when = next((name for name in condition if name in WHEN), None)
    said = f"{gettext(WHEN[when])} {condition[when]}" if when else msgspec.json.encode(condition).decode()
    then = next((name for name in action if name in THEN), None)
    if then is None:  # a rule that was saved by SQL or REST may have an action that this page lacks
        return said, msgspec.json.encode(action).decode()
    by_filter = isinstance(action[then], dict)
    value = _filter_in_words(action[then]) if by_filter else action[then]
    words = gettext(TEXT_OF_ACTION["hide_filter" if then == "hide" and by_filter else then])
    does = words % {"what": value, "number": action.get("at", action.get("factor", ""))}
    return said if when != "always" else gettext(WHEN[when]), does


def _filter_in_words(filter_: dict[str, Any]) -> str:
    """Returns a filter in the notation of the form: as `brand: Nord` if all its values are texts, or else as JSON."""
    if all(isinstance(value, str) for value in filter_.values()):
        return ", ".join(f"{name}: {value}" for name, value in filter_.items())
    return msgspec.json.encode(filter_).decode()


def _number(form: dict[str, str], field: str) -> int:
    value = form.get(field, "")
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise ApiError("invalid", f"The form does not name a {field} by its number.")
    return int(value)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns the errors _REFUSED into ApiError, which tells staff why the database refuses a rule, a synonym or a
    preview."""
    try:
        yield
    except DatabaseError as error:
        if error.sqlstate not in _REFUSED:
            raise
        raise ApiError("invalid", for_rest(error.message), hint=for_rest(error.hint or "")) from error


ROUTES = (show_synonyms, add_synonym, delete_synonym, show_rules, add_rule, change_rule, preview)
