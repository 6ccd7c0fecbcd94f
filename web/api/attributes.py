"""Decides which attributes of products REST shows."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from web.http.problems import ApiError

ALL = "*"
PREFIX = "attributes."
_DOT = re.compile(r"(?<!\\)\.")  # shop_private.filter_attribute splits a path at the same dots


class ShownAttributes:
    """`names` are the names of the attributes that REST shows. The name `*` stands for all attributes."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = None if ALL in names else frozenset(names)

    def shown(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the members of `attributes` that REST shows."""
        return {name: value for name, value in attributes.items() if self._names is None or name in self._names}

    def check(self, filter_: Any, fields: Iterable[str] = ()) -> None:
        """Raises ApiError if a filter or a facet reads a hidden attribute, because the number of found products would
        reveal values of that attribute."""
        if self._names is None:
            return
        for field in (*fields, *_fields_of(filter_)):
            if field.startswith(PREFIX) and _name(field) not in self._names:
                raise ApiError(
                    "invalid",
                    f"The attribute {_name(field)[:80]} is hidden.",
                    hint="The setting WINDOWSHOP_WEB_ATTRIBUTES names the attributes that REST shows.",
                )


def _name(field: str) -> str:
    return _DOT.split(field.removeprefix(PREFIX), 1)[0].replace("\\.", ".")


def _fields_of(filter_: Any) -> Iterator[str]:
    """Yields the name of every field in a filter, including the fields inside operators, at any depth."""
    waiting = [filter_]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            yield from part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
