"""Decides which attributes of products REST shows, and refuses searches that read hidden attributes."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from web.http.problems import ApiError

ALL = "*"
PREFIX = "attributes."
_MOST_VALUES = 300_000  # the database accepts a filter of at most 1 MB, which has fewer values than this
_SPREAD = "Spread the conditions over several searches."
_DOT = re.compile(r"(?<!\\)\.")  # shop_private.filter_attribute splits a path at the same dots
# One key of `sort`, in the syntax of shop_private.sort_keys.
_SORT_KEY = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s,"]+))(?:\s+(?:asc|desc))?\s*(,|\Z)', re.ASCII | re.IGNORECASE)


class ShownAttributes:
    """`names` are the names of the attributes that REST shows. The name `*` stands for all attributes."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = None if ALL in names else frozenset(names)

    def shown(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the members of `attributes` that REST shows."""
        return {name: value for name, value in attributes.items() if self._names is None or name in self._names}

    def check(
        self, filter_: Any, fields: Iterable[str] = (), sort: str | None = None, group_by: str | None = None
    ) -> None:
        """Raises ApiError if a filter, a facet, a sort or group_by reads a hidden attribute, because the number, the
        order or the groups of the found products would reveal the attribute's values.

        If some attributes are hidden, also raises ApiError if `sort` cannot be read, or if the filter has too many
        values.
        """
        if self._names is None:
            return
        named = (
            *fields,
            *_fields_of(filter_),
            *_fields_of_sort(sort or ""),
            *(() if group_by is None else (group_by,)),
        )
        for field in named:
            if field.startswith(PREFIX) and _name(field) not in self._names:
                raise ApiError(
                    "invalid",
                    f"The attribute {_name(field)[:80]} is hidden.",
                    hint="The setting WINDOWSHOP_WEB_ATTRIBUTES names the attributes that REST shows.",
                )


def _name(field: str) -> str:
    return _DOT.split(field.removeprefix(PREFIX), 1)[0].replace("\\.", ".")


def _fields_of(filter_: Any) -> Iterator[str]:
    """Yields the names of all members of a filter, at any depth. Some are fields, and the others are operators. Raises
    ApiError for a filter with more values than the database accepts."""
    waiting, seen = [filter_], 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES:
            raise ApiError("invalid", f"The filter has more than {_MOST_VALUES:,} values.", hint=_SPREAD)
        if isinstance(part, Mapping):
            yield from part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _fields_of_sort(sort: str) -> Iterator[str]:
    """Yields the field of every key of the option `sort`. Raises ApiError if a key cannot be read, so that no field is
    left unchecked."""
    start = 0
    while sort:
        key = _SORT_KEY.match(sort, start)
        if key is None:
            raise ApiError("invalid", f"sort cannot be read at '{sort[start : start + 80]}'.")
        quoted, plain, end = key.groups()
        field = quoted.replace('""', '"') if quoted else plain
        # The database may treat more characters as blanks than the pattern does. The field in `plain` then begins with
        # such a character, so the code looks for PREFIX anywhere in `plain`.
        yield field[max(0, field.find(PREFIX)) :] if plain else field
        if not end:
            return
        start = key.end()
