"""Implements filters (docs/filters.md) a second time, in Python, so that tests can check the compiled SQL.

A product is a mapping of its columns, with `attributes` as parsed JSON. The functions expect valid filters.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Json = Any


def matches(product: Mapping[str, Any], wanted: Mapping[str, Json] | None) -> bool:
    return all(_member(product, name, value) for name, value in (wanted or {}).items())


def _member(product: Mapping[str, Any], name: str, value: Json) -> bool:
    if name == "and":
        return all(matches(product, each) for each in value)
    if name == "or":
        return any(matches(product, each) for each in value)
    if name == "not":
        return not matches(product, value)
    stored = value_of(product, name)
    if isinstance(value, list):
        return _test(name, stored, "in", value)
    if isinstance(value, dict):
        return all(_test(name, stored, operator, operand) for operator, operand in value.items())
    return _test(name, stored, "eq", value)


def value_of(product: Mapping[str, Any], name: str) -> Any:
    if not name.startswith("attributes."):
        return product[name]
    stored: Any = product["attributes"]
    for key in re.findall(r"(?:\\\.|[^.])+", name.removeprefix("attributes.")):
        stored = stored.get(key.replace(r"\.", ".")) if isinstance(stored, dict) else None
    return stored


def _test(name: str, stored: Any, operator: str, operand: Json) -> bool:
    if isinstance(stored, datetime):
        operand = [_time(each) for each in operand] if isinstance(operand, list) else _time(operand)
    match operator:
        case "eq":
            return same(stored, operand)
        case "ne":
            return not same(stored, operand)
        case "in":
            return any(same(stored, each) for each in operand)
        case "nin":
            return not any(same(stored, each) for each in operand)
        case "exists":
            return (stored is not None) == operand
        case "contains":
            if isinstance(stored, list):
                return any(same(each, operand) for each in stored)
            return isinstance(stored, str) and isinstance(operand, str) and lower(operand) in lower(stored)
        case "prefix":
            return isinstance(stored, str) and lower(stored).startswith(lower(operand))
    if kind(stored) != kind(operand) or kind(stored) not in ("text", "number", "time"):
        return False
    stored, operand = _exact(stored), _exact(operand)
    return bool(
        {"lt": stored < operand, "lte": stored <= operand, "gt": stored > operand, "gte": stored >= operand}[operator]
    )


def same(one: Any, other: Any) -> bool:
    """Returns whether two JSON values are equal: true differs from 1, 1.0 equals 1, and lists are compared by item."""
    if kind(one) != kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(_exact(one) == _exact(other))


def _exact(value: Any) -> Any:
    """Returns a float as the exact decimal that JSON writes for it, and any other value unchanged."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "truth"
        case int() | float() | Decimal():
            return "number"
        case str():
            return "text"
        case datetime():
            return "time"
        case list():
            return "list"
    return "object"


def lower(text: str) -> str:
    """Returns the text in lower case, letter by letter as PostgreSQL's C.UTF-8 does. Python's lower() of a
    whole text depends on neighbouring letters and can add letters."""
    return "".join(letter.lower()[0] for letter in text)


def _time(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
