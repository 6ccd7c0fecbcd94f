"""Reads one JSON document, piece by piece. The document is a list of products, an object with such a list in it, as in
{"products": [...]}, or a single product."""

from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from loader.errors import MissingColumns, NotACatalog, NothingToLoad, SourceDamaged
from loader.rejects import Reject
from loader.sources.api.product_objects import FIRST_OBJECTS
from loader.sources.object_source import ObjectSource
from loader.sources.reading import json_stream
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.category_names import CategoryNames, has_ids
from loader.sources.reading.columns import FieldColumns, resolve
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.keyed import inner_columns
from loader.sources.reading.variants import NestedVariants

# If a document has several lists of products, the first list with one of these names is read. If no list has such a
# name, the list whose first object has the most members is read.
USUAL_LISTS = frozenset((
    "products", "product", "items", "data", "results", "catalog", "listings", "offers", "goods", "edges", "nodes",
))  # fmt: skip


def recognises(head: FileHead) -> bool:
    return head.is_json and not head.is_json_lines


class JsonDocumentSource(ObjectSource):
    def __init__(self, file: CatalogFile, *, mapping: FieldColumns, image_root: Path | None) -> None:
        if not file.head.strip():
            raise NothingToLoad(f"{file.path.name} is empty", hint="It needs a list of products.")
        if not FileHead(file).is_json:
            raise NotACatalog(f"{file.path.name} is not JSON: it begins with neither {{ nor [")
        self._file = file
        self._list = _list_of_products(file, mapping)
        self._categories: CategoryNames | None = None
        if self._has_ids_of_categories():
            self._categories = CategoryNames(file, self._list)
        super().__init__(
            file,
            self._members,
            name="json",
            not_an_object="the member of the list is not an object {...}",
            mapping=mapping,
            image_root=image_root,
        )

    def _members(self) -> Generator[tuple[int, Any] | Reject]:
        for found in json_stream.members(self._file, lambda path, _: path == self._list):
            if isinstance(found, Reject):
                yield found
            else:
                product = _product(found.value)
                yield found.line, self._categories.replaced(product) if self._categories else product

    def _has_ids_of_categories(self) -> bool:
        try:
            with closing(self._members()) as members:
                first = [found[1] for found in islice(members, FIRST_OBJECTS) if not isinstance(found, Reject)]
        except SourceDamaged:
            return False  # the load itself reports the damage
        return any(has_ids(product) for product in first if isinstance(product, dict))


def _product(member: Any) -> Any:
    """Returns the product in a member of GraphQL's `edges`, or the member itself."""
    node = member.get("node") if isinstance(member, dict) else None
    return node if isinstance(node, dict) and set(member) <= {"node", "cursor"} else member


def _list_of_products(file: CatalogFile, mapping: FieldColumns) -> json_stream.Path:
    """Returns the path of the list of products, which is a list whose first object has a SKU and a title. Raises
    NotACatalog or MissingColumns if there is no such list."""
    found: dict[json_stream.Path, list[str]] = {}

    def is_certain(path: json_stream.Path, first: dict[str, Any]) -> bool:
        first = _product(first)
        names = list(NestedVariants(first, mapping).split(first)[0])
        found.setdefault(path, names)
        return (not path or path[-1].lower() in USUAL_LISTS) and _are_products(file.path, names, mapping)

    with closing(json_stream.members(file, is_certain)) as certain:
        if (member := next((one for one in certain if not isinstance(one, Reject)), None)) is not None:
            return member.path
    lists = [path for path, names in found.items() if _are_products(file.path, names, mapping)]
    if lists:
        return max(lists, key=lambda path: len(found[path]))
    if not found:
        raise NotACatalog(f"{file.path.name} is a JSON document without a list of objects")
    names = max(found.values(), key=len)
    resolve(file.path, [*names, *inner_columns(names, mapping)], mapping)
    raise AssertionError("`resolve` must raise here, because no list has all needed names")


def _are_products(path: Path, names: list[str], mapping: FieldColumns) -> bool:
    try:
        resolve(path, [*names, *inner_columns(names, mapping)], mapping)
    except (MissingColumns, NotACatalog):
        return False
    return True
