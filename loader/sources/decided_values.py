"""Decides how to read ambiguous prices and dates, such as "1.234" and "03/04/2026", by comparing them with the other
prices and dates of the file. A price without a currency gets the currency of the other rows."""

from collections.abc import Callable, Iterator

from db.catalog.product import RawProduct
from db.catalog.rows.notation import Notation, ambiguous, lacks_currency
from loader.rejects import Reject
from loader.sources.registry import CatalogSource
from loader.sources.wrapping import WrappedSource


class DecidedValues(WrappedSource):
    """The rows of another source, in which each ambiguous price and date is decided if the file allows a decision. If a
    column has the currency, a price without a currency gets the currency that all other rows have. The first ambiguous
    value, or the first such price, starts an extra pass over the file. Otherwise there is no extra pass."""

    def __init__(self, opened: Callable[[], CatalogSource]) -> None:
        super().__init__(opened())
        self._opened = opened

    def rows(self) -> Iterator[RawProduct | Reject]:
        notation: Notation | None = None
        states_currency = "currency" in self.columns.values()
        for row in self._source.rows():
            if isinstance(row, Reject):
                yield row
                continue
            names = ambiguous(row.fields)
            is_without_currency = states_currency and lacks_currency(row.fields)
            if names or is_without_currency:
                notation = notation or Notation(each for each in self._opened().rows() if isinstance(each, RawProduct))
                if is_without_currency:
                    row = notation.with_currency(row)
                for name in names:
                    row = notation.decided(row, name)
            yield row
