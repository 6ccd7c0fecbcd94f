"""Decides how to read ambiguous prices and dates, such as "1.234" and "03/04/2026", by comparing them with the other
prices and dates of the file. If the file has a column for the currency, a price without a currency gets the currency of
the other rows."""

from collections.abc import Callable, Iterator

from db.catalog.product import RawProduct
from db.catalog.rows.notation import with_one_meaning
from loader.rejects import Reject
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource


class DecidedValues(WrappedSource):
    """Yields the rows of another source. An ambiguous price or date gets one meaning if other rows of the file show the
    meaning. If the file has a column for the currency, a price without a currency gets the currency that all other rows
    have. At the first value of one of these two kinds, the whole file is read a second time, to compare the other rows.
    A file without such values is read only once."""

    def __init__(self, opened: Callable[[], CatalogSource]) -> None:
        super().__init__(opened())
        self._opened = opened

    def rows(self) -> Iterator[RawProduct | Reject]:
        def catalog() -> Iterator[RawProduct]:
            return (row for row in self._opened().rows() if isinstance(row, RawProduct))

        return with_one_meaning(self._source.rows(), catalog, states_currency="currency" in self.columns.values())
