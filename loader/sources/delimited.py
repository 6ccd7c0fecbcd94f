"""Reads text tables with a header. Commas, semicolons, tabs or bars separate the cells of a row."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns, empty_columns, resolve
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.table import Table


def recognises(head: FileHead) -> bool:
    return not head.is_json


class DelimitedSource:
    def __init__(
        self, file: CatalogFile, *, mapping: FieldColumns, image_root: Path | None, name: str = "delimited"
    ) -> None:
        table = Table(file)
        self.name = name
        self.path = table.path
        self.image_root = image_root or table.path.absolute().parent
        self.size = table.size
        self._table = table
        with closing(table.named_cells()) as cells:
            empty = empty_columns(table.path, table.header, mapping, cells)
        self._columns = replace(resolve(table.path, table.header, mapping, empty), stock_decides=True)
        table.sku_index = self._columns.positions["sku"]
        self.columns = self._columns.targets(table.header)

    @property
    def done(self) -> int:
        return self._table.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        for record in self._table.records():
            yield record if isinstance(record, Reject) else self._columns.row(record.line, record.cells)
