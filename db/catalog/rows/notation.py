"""Decides the meaning of ambiguous values by the other prices and dates of a catalog. A price such as "1.290" could be
two amounts, and a date such as "4/1/26" could be two days. A price without a currency gets the currency of the
catalog's other prices."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from db.catalog import dates, prices
from db.catalog.currencies import SHARED
from db.catalog.dates import DateOrder
from db.catalog.offer import PRICES
from db.catalog.prices import DecimalMarks
from db.catalog.product import RawProduct
from db.catalog.values import currency

Other = TypeVar("Other")
DATES = ("sale_starts_at", "sale_ends_at", "published_at")
OTHER_DATES = re.compile(r"date|created|updated|modified|_at$|_from$|_to$")  # finds attributes that may hold dates


class Notation:
    """The notation of prices and dates in the rows of a catalog."""

    def __init__(self, rows: Iterable[RawProduct]) -> None:
        self._marks = DecimalMarks()
        self._currencies: set[str] = set()
        self._orders: defaultdict[str, DateOrder] = defaultdict(DateOrder)  # by field; "" has the dates of all fields
        for row in rows:
            of_row = _currency(row)
            self._currencies |= {of_row} if of_row else {code for code in _in_prices(row.fields) if code}
            for name in PRICES:
                if cell := row.fields.get(name):
                    self._marks.observe(cell, of_row)
            for name in DATES:
                if cell := row.fields.get(name):
                    self._orders[name].observe(cell)
                    self._orders[""].observe(cell)
            for name, value in row.attributes.items():
                if type(value) is str and OTHER_DATES.search(name):
                    self._orders[""].observe(value.strip())

    def with_currency(self, row: RawProduct) -> RawProduct:
        """Add a currency to a row whose price has none: the currency that all other rows have. If the other rows have
        several currencies, or one that the symbol in the price cannot mean, the row gets a warning instead."""
        if not self._currencies:
            return row
        units = _units(row.fields)
        code = next(iter(self._currencies))
        if len(self._currencies) == 1 and all(unit is None or code in SHARED[unit] for unit in units.values()):
            return replace(row, fields={**row.fields, "currency": code})
        stated = " and ".join(sorted(self._currencies)[:3])
        warning = f"{' and '.join(units)} without a currency, although other products have {stated}"
        return replace(row, warnings=[*row.warnings, ("currency", warning)])

    def decided(self, row: RawProduct, name: str) -> RawProduct:
        """Return the row, with the value of this field in a notation that has only one meaning. If nothing shows the
        meaning, the row stays the same, and validation reports the fault."""
        cell = row.fields[name]
        if name in DATES:
            order = self._orders[name] if self._orders[name].is_known else self._orders[""]
            if (day_first := order.day_first(cell)) is None:
                return row
            return replace(row, fields={**row.fields, name: dates.decided(cell, day_first=day_first)})
        of_row = _currency(row)
        mark = self._marks.mark_of(cell, of_row)
        if mark is None:
            return row
        try:
            return replace(row, fields={**row.fields, name: prices.decided(cell, of_row, mark)})
        except ValueError:
            return row


def with_one_meaning(
    rows: Iterable[RawProduct | Other], catalog: Callable[[], Iterable[RawProduct]], *, states_currency: bool
) -> Iterator[RawProduct | Other]:
    """Yield the rows. If the catalog shows the meaning of an ambiguous price or date, the row has this value in a
    notation with one meaning. With `states_currency`, a price without a currency gets the currency that all other rows
    have. `catalog` is called only once: when the first ambiguous value or the first such price comes. Rows of the other
    type are yielded unchanged."""
    notation: Notation | None = None
    for row in rows:
        if isinstance(row, RawProduct):
            names = ambiguous(row.fields)
            is_without_currency = states_currency and lacks_currency(row.fields)
            if names or is_without_currency:
                notation = notation or Notation(catalog())
                row = notation.with_currency(row) if is_without_currency else row
                for name in names:
                    row = notation.decided(row, name)
        yield row


def ambiguous(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the prices that could mean two amounts, and of the dates that could mean two days."""
    found: tuple[str, ...]
    if "sale_price" not in fields and "compare_at_price" not in fields:  # most feeds have only one price
        found = ("price",) if (cell := fields.get("price")) and prices.is_ambiguous(cell) else ()
    else:
        found = tuple(name for name in PRICES if (cell := fields.get(name)) and prices.is_ambiguous(cell))
    if "sale_starts_at" not in fields and "sale_ends_at" not in fields and "published_at" not in fields:
        return found
    return (*found, *(name for name in DATES if (cell := fields.get(name)) and dates.is_ambiguous(cell)))


def lacks_currency(fields: Mapping[str, str]) -> bool:
    """Return whether the product has a price, and neither a currency nor a price that names one."""
    return not fields.get("currency") and _in_prices(fields) == {None}


def _in_prices(fields: Mapping[str, str]) -> set[str | None]:
    """Return the currencies that the prices name, with None for a price that names none. Return an empty set if the
    product has no price, or a price that cannot be read."""
    try:
        return {None if unit in SHARED else unit for unit in _units(fields).values()}
    except ValueError:
        return set()


def _units(fields: Mapping[str, str]) -> dict[str, str | None]:
    """Return the unit of each price. A price is left out if an earlier price has a symbol that cannot mean the unit of
    this price."""
    units: dict[str, str | None] = {}
    symbol: str | None = None
    for name in PRICES:
        if cell := fields.get(name):
            unit = prices.split(cell).unit
            if unit is None or symbol is None or prices.may_be_equal(symbol, unit):
                units[name] = unit
                symbol = symbol or (unit if unit in SHARED else None)
    return units


def _currency(row: RawProduct) -> str | None:
    written = row.fields.get("currency")
    try:
        return currency(written) if written else None
    except ValueError:
        return None
