"""Replaces the IDs of categories in JSON by the names that the same document has for them.

The names are in a list such as "categories": [{"id": 23, "name": "Bags"}], in which a category may have `children`, or
in an object such as "categories": {"23": "Bags"}.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from db.catalog.names import normalised
from loader.errors import SourceDamaged
from loader.rejects import Reject
from loader.sources.reading import json_stream
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.names.usual import USUAL_NAMES

LISTS = frozenset(("categories", "category_tree", "category_names", "category_map", "categorynames", "categorymap"))
IDS = ("category_ids", "category_id")
MEMBERS = frozenset((*USUAL_NAMES["product_type"], *IDS))
CHILDREN = ("children", "subcategories", "sub_categories")
MOST = 100_000  # when this many names are remembered, further members of the lists are ignored


def has_ids(record: Mapping[str, Any]) -> bool:
    """Returns whether a member of a product holds the IDs of categories."""
    return any(_ids(value) for name, value in record.items() if normalised(name) in MEMBERS)


class CategoryNames:
    """Reads the names of the categories of a document once. The list of products at `products` is skipped."""

    def __init__(self, file: CatalogFile, products: json_stream.Path) -> None:
        def enters(path: json_stream.Path, _: Any) -> bool:
            return bool(path) and path != products and path[-1].lower() in LISTS

        self._names: dict[str, str] = {}
        try:
            for found in json_stream.members(file, enters, LISTS):
                if not isinstance(found, Reject) and len(self._names) < MOST:
                    self._names.update(islice(_named(found.value), MOST))
        except SourceDamaged:
            return  # the load itself reports the damage

    def replaced(self, record: Any) -> Any:
        """Returns a product with the names of its categories. An ID without a name stays."""
        if not self._names or not isinstance(record, dict):
            return record
        found = {
            name: self._of(value) if normalised(name) in MEMBERS and _ids(value) else value
            for name, value in record.items()
        }
        if not any(normalised(name) in USUAL_NAMES["product_type"] for name in found):
            named = next((name for name in found if normalised(name) in IDS), None)
            if named is not None:
                found["categories"] = found.pop(named)
        return found

    def _of(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._names.get(str(member), member) for member in value]
        return self._names.get(str(value), value)


def _ids(value: Any) -> bool:
    members = value if isinstance(value, list) else [value]
    return any(type(member) is int or (isinstance(member, str) and member.isdecimal()) for member in members)


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """Yields the ID and name of each category in a value. The value is a category with its children, or an object that
    maps IDs to names or to categories."""
    if not isinstance(value, Mapping):
        return
    identifier = next((value[key] for key in ("id", "category_id", "entity_id") if key in value), None)
    name = next((value[key] for key in ("name", "title", "label") if isinstance(value.get(key), str)), None)
    if identifier is not None and name:
        yield str(identifier), name
        for key in CHILDREN:
            children = value.get(key)
            for child in children if isinstance(children, list) else ():
                yield from _named(child)
        return
    for key, member in value.items():
        if isinstance(member, str) and key.isdecimal():
            yield key, member
        elif isinstance(member, Mapping) and key.isdecimal():
            yield from _named({"id": key, **member})
