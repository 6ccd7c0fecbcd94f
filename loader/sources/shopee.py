"""The layout of the Shopee product-matching data: train.csv or test.csv beside a folder of pictures.

posting_id,image,image_phash,title,label_group      label_group only in train.csv: postings of the same product
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources.reading.table import Table

HEADER = ("posting_id", "image", "image_phash", "title")
FILES = ("train.csv", "test.csv")


def is_shopee(header: Sequence[str]) -> bool:
    return set(HEADER) <= set(header)


class ShopeeSource:
    name = "shopee"

    def __init__(self, table: Table, *, image_root: Path | None) -> None:
        self.path = table.path
        self.image_root = image_root or table.path.absolute().parent / f"{table.path.stem}_images"
        self.size = table.size
        self._table = table
        table.sku_place = table.header.index("posting_id")

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
