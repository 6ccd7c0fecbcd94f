"""Reads products from a file of JSON objects. A subclass finds the objects in its kind of file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.api.product_objects import Found, ProductObjects
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns
from loader.sources.reading.keyed import KeyedRows


class ObjectSource:
    """Turns JSON objects into products. Each call of `read` yields all values of the file. A value that is not an
    object is rejected with the reason `not_an_object`."""

    def __init__(
        self,
        file: CatalogFile,
        read: Callable[[], Iterator[Found]],
        *,
        name: str,
        not_an_object: str,
        mapping: FieldColumns,
        image_root: Path | None,
    ) -> None:
        self.name = name
        self.path = file.path
        self.image_root = image_root or file.path.absolute().parent
        self.size = file.size
        self._file = file
        self._not_an_object = not_an_object
        self._objects = ProductObjects(read, mapping)
        with closing(self._objects.records()) as records:
            self._rows = KeyedRows(file.path, self._objects.names(), mapping, records)

    @property
    def columns(self) -> Mapping[str, str]:
        return self._rows.columns

    @property
    def done(self) -> int:
        return self._file.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        for found in self._objects.found():
            if isinstance(found, Reject):
                yield found
            elif isinstance(found[1], dict):
                for record in self._objects.split(found[1]):
                    yield self._rows.row(found[0], record)
            else:
                yield Reject(found[0], "", self._not_an_object)
