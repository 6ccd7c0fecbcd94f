"""Decides how to read ambiguous prices and dates, such as "1.234" and "03/04/2026", by comparing them with the other
prices and dates of the file."""

from collections.abc import Callable, Iterator

from db.catalog.product import RawProduct
from db.catalog.rows.notation import Notation, ambiguous
from loader.rejects import Reject
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource


class DecidedValues(WrappedSource):
    """The rows of another source, in which each ambiguous price and date is decided if the file allows a decision. The
    first ambiguous value starts an extra pass over the file. Without an ambiguous value, there is no extra pass."""

    def __init__(self, opened: Callable[[], CatalogSource]) -> None:
        super().__init__(opened())
        self._opened = opened

    def rows(self) -> Iterator[RawProduct | Reject]:
        notation: Notation | None = None
        for row in self._source.rows():
            if isinstance(row, RawProduct) and (names := ambiguous(row.fields)):
                notation = notation or Notation(each for each in self._opened().rows() if isinstance(each, RawProduct))
                for name in names:
                    row = notation.decided(row, name)
            yield row
