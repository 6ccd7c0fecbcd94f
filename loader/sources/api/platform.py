"""Defines the base class of the readers of a platform's API, and functions that these readers share."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from db.catalog.rows.cells import is_empty

Record = dict[str, Any]


class ApiPlatform:
    """Translates the objects of an API into objects with usual names (USUAL_NAMES in reading/columns.py).

    `is_linked` is true if several objects of a file can belong together, such as a product and its variants. Then the
    methods `identifier`, `parent` and `children` say how the objects are linked, and `nested` combines them.
    """

    is_linked = False

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Returns whether this platform wrote `record`, which is one of the first objects of a file."""
        raise NotImplementedError

    def translated(self, record: Record) -> Record:
        """Returns the object with the usual names of fields. Members that fill no field keep their names."""
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
        """Returns the parent with its children, for example in a member `variants`. The arguments have the names of the
        API, and the result has the usual names."""
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
    """Returns the members of a product for its variants. Variants do not inherit the members in `names`, so these
    members get names such as `product_price`."""
    names = frozenset(names)
    return {
        f"product_{name}" if name in names else name: value for name, value in record.items() if not is_empty(value)
    }
