"""Decides how to read ambiguous prices and dates, by comparing them with the other prices and dates of the file."""

from collections.abc import Callable, Iterator

from db.catalog.product import RawProduct
from db.catalog.rows.notation import Notation, ambiguous
from loader.rejects import Reject
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource


class DecidedValues(WrappedSource):
    """The rows of another source. An ambiguous price or date in them is decided if the file allows a decision. The
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
