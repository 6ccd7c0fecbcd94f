"""Completes the variants of an export in which only the row of the parent has the title, as in exports of Shopware,
eBay and Wix."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.reading.platform_table import Cells
from loader.sources.reading.stored_rows import StoredRows
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource

INHERITED = ("title", "description", "brand", "product_type", "image_link")
IDENTIFIERS = ("id", "product_id", "product_number", "item_id", "item_number")
PARENTS = (  # columns with an identifier of the parent
    "parent_id", "parent_sku", "parent", "parent_product_id", "parent_product_number", "parent_number",
    "parent_item_id",
)  # fmt: skip
SHARED = ("handle_id", "handle", "url_handle")  # columns that have the same value for a parent and its variants


class InheritedValues(WrappedSource):
    """The rows of another source. A row without a title takes its empty descriptive values and its images from the row
    of its parent. The first such row starts an extra pass over the file, which stores the rows with a title on disk.
    Without such a row, there is no extra pass.

    A row names its parent by an identifier, or has the item group or handle of one row with a title. In eBay's files, a
    row with the relationship "Variation" belongs to the last row before it without a relationship. A row that names a
    parent which the file does not have, or has more than once, is rejected.
    """

    def __init__(self, opened: Callable[[], CatalogSource]) -> None:
        super().__init__(opened())
        self._opened = opened

    def rows(self) -> Iterator[RawProduct | Reject]:
        last: RawProduct | None = None  # the last row with a title that is no variation
        with ExitStack() as open_until_end:
            parents: StoredRows | None = None
            for row in self._source.rows():
                if isinstance(row, Reject) or row.fields.get("title"):
                    if isinstance(row, RawProduct) and not _text(row, "relationship"):
                        last = row
                    yield row
                elif last and _text(row, "relationship").lower() == "variation":
                    yield _completed(row, _cells(last), "")
                elif not (names := _names_of_parent(row)):
                    yield row  # validation reports the empty title
                else:
                    if parents is None:
                        parents = open_until_end.enter_context(StoredRows())
                        _store(self._opened(), parents)
                    yield _with_parent(row, names, parents)


def _store(source: CatalogSource, parents: StoredRows) -> None:
    """Stores the rows with a title by the names with which a variant can name them. A row's own number in the order of
    the file identifies it, because several objects can begin in one line."""
    for number, row in enumerate(source.rows()):
        if isinstance(row, RawProduct) and row.fields.get("title"):
            parents.add(number, _cells(row), sku=row.fields.get("sku", ""), group=row.fields.get("item_group_id", ""))
            for name in IDENTIFIERS:
                parents.name(number, id=_text(row, name))
            for name in SHARED:
                parents.name(number, handle=_text(row, name))


def _names_of_parent(row: RawProduct) -> list[tuple[str, str]]:
    """Returns the names of the parent, each with its kind in `_store`, in the order in which they are tried."""
    group = row.fields.get("item_group_id", "")
    named = [*(_text(row, name) for name in PARENTS), group]
    names = [(kind, name) for name in named for kind in ("sku", "id")]
    names += [("handle", name) for column in SHARED for name in (_text(row, column),)]
    return [(kind, name) for kind, name in (*names, ("group", group)) if name]


def _with_parent(row: RawProduct, names: list[tuple[str, str]], parents: StoredRows) -> RawProduct | Reject:
    for kind, name in names:
        count = parents.count(kind, name)
        if count == 1 and (found := parents.first(kind, name)):
            return _completed(row, found[1], name)
        if count:
            rows = f'{count} rows with a title have the identifier, handle or group "{name}"'
            reason = f"title is empty, and {rows}, so the parent is uncertain"
            return Reject(row.line, row.fields.get("sku", ""), reason)
    reason = f'title is empty, and the file has no parent "{names[0][1]}" with a title'
    return Reject(row.line, row.fields.get("sku", ""), reason)


def _cells(row: RawProduct) -> Cells:
    """Returns what variants can inherit from a row: fields, the images, one on each line, and the item group."""
    cells = Cells({name: row.fields[name] for name in INHERITED if name in row.fields})
    cells["images"] = "\n".join(row.images)
    cells["item_group_id"] = row.fields.get("item_group_id") or row.fields.get("sku", "")
    return cells


def _completed(row: RawProduct, parent: Cells, group: str) -> RawProduct:
    """Returns the variant with the values of its parent. The item group is the first of these that is not
    empty: that of the parent, the parent's SKU, and `group`."""
    fields = {name: parent[name] for name in INHERITED if name in parent}
    fields |= {"item_group_id": found} if (found := parent["item_group_id"] or group) else {}
    if row.images:
        fields.pop("image_link", None)
    images = row.images or tuple(filter(None, parent["images"].split("\n")))
    return replace(row, fields={**fields, **row.fields}, images=images)


def _text(row: RawProduct, name: str) -> str:
    return str(row.attributes.get(name) or "").strip()
