"""Decides, from the other prices of the file, which of two amounts an ambiguous price such as "1.290" means."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from db.catalog.prices import DecimalMarks, decided, is_ambiguous
from db.catalog.product import RawProduct
from db.catalog.values import currency
from loader.rejects import Reject
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource


class DecidedPrices(WrappedSource):
    """The rows of another source, with decided prices. The first ambiguous price starts an extra pass over all prices
    of the file. A file without an ambiguous price is read only once."""

    def __init__(self, opened: Callable[[], CatalogSource]) -> None:
        super().__init__(opened())
        self._opened = opened

    def rows(self) -> Iterator[RawProduct | Reject]:
        marks: DecimalMarks | None = None
        for row in self._source.rows():
            if isinstance(row, RawProduct) and (cell := row.fields.get("price")) and is_ambiguous(cell):
                marks = marks or self._marks()
                yield _decided(row, cell, marks)
            else:
                yield row

    def _marks(self) -> DecimalMarks:
        marks = DecimalMarks()
        for row in self._opened().rows():
            if isinstance(row, RawProduct) and (cell := row.fields.get("price")):
                marks.note(cell, _currency(row))
        return marks


def _decided(row: RawProduct, cell: str, marks: DecimalMarks) -> RawProduct:
    of_row = _currency(row)
    mark = marks.of(cell, of_row)
    if mark is None:
        return row  # validation names the fault
    try:
        return replace(row, fields={**row.fields, "price": decided(cell, of_row, mark)})
    except ValueError:
        return row


def _currency(row: RawProduct) -> str | None:
    written = row.fields.get("currency")
    try:
        return currency(written) if written else None
    except ValueError:
        return None
