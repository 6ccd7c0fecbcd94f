"""Reads the items of a batch one by one, so that only the faulty items of a batch are refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import Meta

from web.http.bodies import hint_of
from web.http.problems import ApiError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Refused:
    reason: str
    given: Any  # the item, decoded as plain JSON


def shown_as(kind: type[Any]) -> Meta:
    """Describes a `msgspec.Raw` in the OpenAPI document as a `kind`."""
    return Meta(extra_json_schema={"$ref": f"#/components/schemas/{kind.__name__}"})


def read_items(given: Sequence[msgspec.Raw], kind: type[Item]) -> list[Item | Refused]:
    """Decode each item as `kind`. An item that cannot be decoded becomes Refused. Raises ApiError if no item can be
    decoded."""
    items: list[Item | Refused] = []
    for one in given:
        try:
            items.append(msgspec.json.decode(one, type=kind))
        except msgspec.ValidationError as error:
            reason = f"{error}. {hint_of(error, kind)}".rstrip(". ")
            items.append(Refused(reason, msgspec.json.decode(one)))
    if isinstance(items[0], Refused) and all(isinstance(item, Refused) for item in items):
        raise ApiError("invalid", f"No item of the list can be read. The first item: {items[0].reason}")
    return items
