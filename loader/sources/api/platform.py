"""Defines what a platform's API says about its objects, and functions that the platforms share."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from loader.sources.reading.cells import is_empty

Record = dict[str, Any]


class ApiPlatform:
    """Translates the objects of an API into objects with usual names.

    If objects of the file belong together, such as a product and its variants, `is_linked` is true. Then the platform
    says how they are linked, and nests the children into their parent.
    """

    is_linked = False

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Returns whether one of the first objects of a file is written by this platform."""
        raise NotImplementedError

    def translated(self, record: Record) -> Record:
        """Returns the object with the usual names of fields. Members that become no field stay as they are."""
        return record

    def identifier(self, record: Record) -> str:
        """Returns the identifier by which other objects name this object."""
        return text(record.get("id"))

    def parent(self, record: Record) -> str:
        """Returns the identifier of the object to which this object belongs, or ""."""
        return ""

    def children(self, record: Record) -> list[str]:
        """Returns the identifiers of the objects that belong to this object, if the object names them."""
        return []

    def nested(self, parent: Record, children: list[Record]) -> Record:
        """Returns the parent with its children, such as `variants`. The arguments are as the API gives them, and the
        result is translated."""
        raise NotImplementedError


def text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool) else ""


def names_in(value: Any) -> list[str]:
    """Returns the names in a list such as [{"id": 9, "name": "Bags"}]."""
    members = value if isinstance(value, list) else [value]
    return [name for member in members if isinstance(member, Mapping) and (name := text(member.get("name")))]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[Record]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def of_the_product(record: Record, names: Iterable[str]) -> Record:
    """Returns the object of a product for its variants, which do not inherit the members in `names`. These members get
    names such as `product_price`."""
    names = frozenset(names)
    return {
        f"product_{name}" if name in names else name: value for name, value in record.items() if not is_empty(value)
    }
