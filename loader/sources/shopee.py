"""Reads the data set of Shopee's product-matching contest: train.csv or test.csv beside a folder of images.

The columns are posting_id,image,image_phash,title,label_group. Only train.csv has label_group; postings of the same
product have the same label_group.
"""

from collections.abc import Iterator
from pathlib import Path

from db.catalog.product import RawProduct
from loader.errors import NotACatalog, SourceUnreadable
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.table import Table

FIELDS = {"posting_id": "sku", "image": "image", "image_phash": "image_phash", "title": "title"}
HEADER = tuple(FIELDS)
FILES = ("train.csv", "test.csv")


def recognises(head: FileHead) -> bool:
    return set(HEADER) <= set(head.header)


class ShopeeSource:
    name = "shopee"

    def __init__(self, file: CatalogFile, *, image_root: Path | None) -> None:
        table = Table(file)
        if not set(HEADER) <= set(table.header):
            raise NotACatalog(
                f"{table.path.name} is not in the Shopee layout; its columns: {', '.join(table.header)}",
                hint=f"It needs {', '.join(HEADER)}. Omit --format to load the file by its own columns.",
            )
        self.path = table.path
        self.image_root = image_root or table.path.absolute().parent / f"{table.path.stem}_images"
        if not self.image_root.is_dir():
            raise SourceUnreadable(
                f"the images of {table.path.name} are not at {self.image_root}",
                hint="Name their folder with --image-root.",
            )
        self.size = table.size
        self._table = table
        table.sku_index = table.header.index("posting_id")
        self.columns = {name: FIELDS.get(name, f"attributes.{name}") for name in table.header}

    @property
    def done(self) -> int:
        return self._table.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        header = self._table.header
        for record in self._table.records():
            if isinstance(record, Reject):
                yield record
                continue
            cells = {name: cell.strip() for name, cell in zip(header, record.cells, strict=True)}
            yield RawProduct(
                {"sku": cells["posting_id"], "title": cells["title"]},
                (cells["image"],) if cells["image"] else (),
                cells["image_phash"] or None,
                {name: cell for name, cell in cells.items() if name not in HEADER and cell},
                record.line,
            )
