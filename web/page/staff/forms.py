"""Turns the forms of the page for staff into rules and synonyms."""

from collections.abc import Collection
from typing import Any, TypeVar

import msgspec
from litestar import Request

from db.search.rules import NewRule
from web.api.attributes import ShownAttributes
from web.api.v1.rules import RuleIn
from web.api.v1.synonyms import SynonymIn
from web.http.bodies import decoded
from web.http.problems import ApiError
from web.page.brand.languages import marked
from web.page.staff.wording import THEN, WHEN

New = TypeVar("New", RuleIn, SynonymIn)

_BY_FILTER = ("hide_filter", "boost", "bury", "filter")
_NUMBERED = {"pin": ("at", int, "1"), "boost": ("factor", float, "2"), "bury": ("factor", float, "0.5")}


async def fields(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Returns the texts of a form. Raises ApiError for a body that is no form."""
    if request.content_type[0] not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise ApiError("media-type", marked("Send a form."))
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def rule_in(form: dict[str, str], catalog: str, attributes: Collection[str]) -> RuleIn:
    """Returns the rule of a form. Raises ApiError if the form has no valid rule, or if the rule reads a hidden
    attribute."""
    when, then = form.get("when", ""), form.get("then", "")
    if when not in WHEN or then not in THEN:
        raise ApiError("invalid", marked("The rule has no condition or no action."))
    condition = (
        {"always": True}
        if when == "always"
        else {when: _given(form, "when_value", marked("The rule needs a value of the condition."))}
    )
    text = _given(form, "then_value", marked("The rule needs a value of the action."))
    value = _filter(text) if then in _BY_FILTER else text
    action: dict[str, Any] = {then.removesuffix("_filter"): value}
    if then in _NUMBERED:
        field, kind, usual = _NUMBERED[then]
        try:
            action[field] = kind(form.get("number", "").strip() or usual)
        except ValueError:
            whole, any_number = (
                marked("The place is a whole number, such as 1."),
                marked("The factor is a number, such as 1.5."),
            )
            raise ApiError("invalid", whole if kind is int else any_number) from None
    if then in _BY_FILTER:
        ShownAttributes(attributes).check(value)
    status = "live" if form.get("live") else "draft"
    given = {"name": form.get("name", "").strip(), "condition": condition, "action": action, "catalog": catalog}
    return _converted({**given, "status": status}, RuleIn)


def new_rule(rule: RuleIn) -> NewRule:
    return NewRule(
        name=rule.name,
        condition=msgspec.json.encode(rule.condition).decode(),
        action=msgspec.json.encode(rule.action).decode(),
        catalog=rule.catalog,
        status=rule.status,
    )


def synonym_in(form: dict[str, str], catalog: str) -> SynonymIn:
    """Returns the synonym of a form. Raises ApiError if the form has no valid one."""
    terms = [term for part in form.get("terms", "").splitlines() for each in part.split(",") if (term := each.strip())]
    if not terms:
        raise ApiError("invalid", marked("There is no term."), hint=marked("Separate the terms by commas."))
    given = {
        "terms": terms,
        "from_term": form.get("from_term", "").strip() or None,
        "catalog": None if form.get("everywhere") else catalog,
        "language": form.get("language", "").strip() or None,
    }
    return _converted(given, SynonymIn)


def _given(form: dict[str, str], field: str, otherwise: str) -> str:
    if not (value := form.get(field, "").strip()):
        raise ApiError("invalid", otherwise)
    return value


def _filter(written: str) -> dict[str, Any]:
    """Returns a filter that is written as JSON or as `brand: Nord, color: red`."""
    if written.startswith("{"):
        return decoded(written.encode(), dict[str, Any], name="The filter")
    pairs = [part.partition(":") for part in written.split(",")]
    if not all(name.strip() and value.strip() for name, _, value in pairs):
        raise ApiError(
            "invalid", marked("This is not a filter."), hint=marked("Write a field and a value, such as brand: Nord")
        )
    return {name.strip(): value.strip() for name, _, value in pairs}


def _converted(given: dict[str, Any], kind: type[New]) -> New:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ApiError("invalid", str(error)) from None
