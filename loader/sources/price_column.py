"""Decides, from the other prices of the file, which of two amounts an ambiguous price such as "1.290" means."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from db.catalog.offer import PRICES
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
            if isinstance(row, RawProduct) and (ambiguous := _ambiguous(row.fields)):
                marks = marks or self._marks()
                for name in ambiguous:
                    row = _decided(row, name, marks)
            yield row

    def _marks(self) -> DecimalMarks:
        marks = DecimalMarks()
        for row in self._opened().rows():
            if isinstance(row, RawProduct):
                for name in PRICES:
                    if cell := row.fields.get(name):
                        marks.note(cell, _currency(row))
        return marks


def _ambiguous(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the names of the prices that could mean two amounts."""
    if "sale_price" not in fields and "compare_at_price" not in fields:  # most feeds have only one price
        return ("price",) if (cell := fields.get("price")) and is_ambiguous(cell) else ()
    return tuple(name for name in PRICES if (cell := fields.get(name)) and is_ambiguous(cell))


def _decided(row: RawProduct, name: str, marks: DecimalMarks) -> RawProduct:
    cell, of_row = row.fields[name], _currency(row)
    mark = marks.of(cell, of_row)
    if mark is None:
        return row  # validation names the fault
    try:
        return replace(row, fields={**row.fields, name: decided(cell, of_row, mark)})
    except ValueError:
        return row


def _currency(row: RawProduct) -> str | None:
    written = row.fields.get("currency")
    try:
        return currency(written) if written else None
    except ValueError:
        return None
