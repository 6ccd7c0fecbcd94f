"""Reads a price as shops write it: an amount, with its currency before or after it.

Blanks of any width, apostrophes, and repeated dots or commas separate groups of digits. The only notation that could
mean two amounts has one dot or comma before exactly three digits, as in "1.290". The currency or the other prices of
the file (`DecimalMarks`) can show which amount is meant. If neither shows the amount, the price is refused, because one
amount is a thousand times the other.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from db.catalog.currencies import CODES, NO_DECIMALS, OTHER_SPELLINGS, SHARED, SYMBOLS, THREE_DECIMALS
from db.catalog.price_words import EXCLUDING_TAX, FROM, without_words

MAX_PRICE = Decimal("9999999999.99")  # the largest value of the column's type, numeric(12,2)
MAX_PRICE_LENGTH = 50  # characters, including white space and currency
MAX_LENGTH_WITH_WORDS = 120  # characters, including words such as "incl. VAT"
CENT = Decimal("0.01")
# A price that was stored as a binary number, such as 19.989999771 for 19.99, is wrong by at most this share.
ROUNDING_NOISE = Decimal("1e-7")

AMBIGUOUS = "could be two numbers"  # a part of the message of AmbiguousPrice

_PLAIN = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_PLAIN_WITH_CODE = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,2})?) ([A-Za-z]{3})")  # the notation of most feeds
_NUMBER = re.compile(
    r"(?P<sign>[+\u2212-]?)\s*(?P<digits>(?:(?<![^\s$€£¥+-])[.,](?=[0-9]))?[0-9](?:[0-9.,'\u066b\s]*[0-9])?)"
    r"(?P<tail>[.,]?[-\u2013\u2014]{1,2}|[.,](?![0-9]))?"
)
_INVISIBLE = "\u200b\u200e\u200f\u061c\u2066\u2067\u2068\u2069\ufeff\u00ad"
_APOSTROPHES = "\u2019\u2018\u02bc\u00b4`\u066c\u060c\u2e41\uff07"
_ARABIC_DECIMAL = "\u066b"
_EITHER = "?"  # stands for a dot or comma before three digits, which may be decimals or thousands


class AmbiguousPrice(ValueError):
    """The price could mean two amounts."""


class WrittenPrice(NamedTuple):
    """The digits and the unit of a price. If a dot or comma could have two meanings, the amount is not yet known."""

    digits: str  # the digits, with the dots, commas, blanks (each a " ") and apostrophes between them
    unit: str | None  # a currency's code, or a symbol that several currencies share
    meaning: str | None = None  # FROM for the lowest of several prices, EXCLUDING_TAX for a price without tax

    @property
    def currency(self) -> str | None:
        return None if self.unit in SHARED else self.unit


@lru_cache(maxsize=10_000)  # a catalog has fewer distinct prices than products
def price(cell: str, currency: str | None = None, decimal_mark: str | None = None) -> tuple[Decimal, str | None]:
    """Return the amount, and the currency if the cell names one: "12.50", "12.50 USD", "€ 1.299,00".

    `currency` is the currency from another column. `decimal_mark` is the mark that separates decimals in this file, if
    known. Raises AmbiguousPrice for a price that could mean two amounts, if `decimal_mark` and the currency do not
    decide. Raises ValueError if the cell is not a valid price, or if its symbol does not stand for `currency`.
    """
    if _PLAIN.fullmatch(cell):
        return _checked(Decimal(cell), cell), None
    if (plain := _PLAIN_WITH_CODE.fullmatch(cell)) and (unit := _unit_of(plain[2])) and unit not in SHARED:
        return _checked(Decimal(plain[1]), cell, unit), unit
    written = split(cell)
    if currency and written.unit in SHARED and currency not in SHARED[written.unit]:
        raise ValueError(f'price "{shown(cell)}" is in {written.unit}, currency is {currency}')
    amount = _amount(written.digits, written.currency or currency or written.unit, decimal_mark, cell)
    return _checked(amount, cell, written.currency or currency), written.currency


def is_ambiguous(cell: str) -> bool:
    """Return whether the notation of the price could mean two amounts.

    The currency of the price or the other prices of the file may then show which amount is meant.
    """
    if _PLAIN_WITH_CODE.fullmatch(cell) or _PLAIN.fullmatch(cell):
        return False
    try:
        return _split_at_decimal_mark(split(cell).digits, cell)[0] == _EITHER
    except ValueError:
        return False


def has_three_decimals(cell: str, currency: str) -> bool:
    """Return whether a valid price has a digit other than 0 after its second decimal."""
    amount = _amount(split(cell).digits, currency, None, cell)
    return amount != amount.quantize(CENT)


@lru_cache(maxsize=10_000)
def split(cell: str) -> WrittenPrice:
    """Split a price into its digits and its currency. Raises ValueError if the text is not a valid price."""
    text = cell.strip() if cell.isascii() else "".join(map(_plain_character, cell)).strip()
    try:
        return _without_words(text, cell)
    except ValueError:
        rest, meaning = without_words(text) if len(text) <= MAX_LENGTH_WITH_WORDS else (text, None)
        if rest == text:
            raise
    return _without_words(rest, cell)._replace(meaning=meaning)


@lru_cache(maxsize=10_000)
def remark(cell: str) -> str | None:
    """Return the meaning of the words beside a valid price, such as "a price without tax". None: no such words."""
    if _PLAIN.fullmatch(cell) or ((plain := _PLAIN_WITH_CODE.fullmatch(cell)) and plain[2].upper() in CODES):
        return None
    return {FROM: "the lowest price", EXCLUDING_TAX: "a price without tax"}.get(split(cell).meaning or "")


def _without_words(text: str, cell: str) -> WrittenPrice:
    found = _NUMBER.search(text) if len(text) <= MAX_PRICE_LENGTH else None
    if found is None or any(character.isdigit() for character in text[: found.start()] + text[found.end() :]):
        raise _no_number(cell)
    sign = found["sign"]
    units = [*_units(text[: found.start()], cell), *_units(text[found.end() :], cell)]
    tail = found["tail"] or ""
    # Accounting writes the minus after the amount, as in "12,50-". "12,-" and "12-" have a dash instead of decimals.
    is_negative = sign in ("-", "\u2212") or (tail == "-" and re.search(r"[.,][0-9]{1,2}$", found["digits"]))
    if is_negative:
        raise ValueError(f'price "{shown(cell)}" is negative')
    if len(units) == 2 and units[0] != units[1]:
        shared = [unit for unit in units if unit in SHARED]
        codes = [unit for unit in units if unit not in SHARED]
        if len(shared) != 1 or codes[0] not in SHARED[shared[0]]:
            raise ValueError(f'price "{shown(cell)}" names its currency twice')
        units = codes
    if len(units) > 2:
        raise ValueError(f'price "{shown(cell)}" names its currency twice')
    decimals = f"{tail[0]}00" if len(tail) > 1 and tail[0] in ".," else ""  # "199,-" becomes "199,00"
    return WrittenPrice(found["digits"].strip() + decimals, units[0] if units else None)


def number_text(number: float | Decimal) -> str:
    """Return a number, such as a number in JSON, as a price that cannot mean two amounts."""
    text = format(Decimal(str(number)), "f")
    return f"{text}0" if text[-4:-3] == "." else text


def decided(cell: str, currency: str | None, decimal_mark: str) -> str:
    """Return the price in a notation that cannot mean two amounts. Raises ValueError if the price stays ambiguous."""
    written = split(cell)
    amount = _amount(written.digits, written.currency or currency or written.unit, decimal_mark, cell)
    text = f"{number_text(amount)} {written.unit or ''}".rstrip()
    return f"{FROM} {text}" if written.meaning == FROM else f"{text} {written.meaning or ''}".rstrip()


class DecimalMarks:
    """Finds out which character separates the decimals in the prices of a file.

    A price such as "1.290,00" or "12,90" shows the decimal mark of its currency. If a currency has no such price, the
    prices of the other currencies count. A currency with three decimals takes no mark from other currencies, and gives
    them none. If prices contradict each other, the mark stays unknown.
    """

    def __init__(self) -> None:
        self._shown: dict[str | None, _Evidence] = {}

    def observe(self, cell: str, currency: str | None = None) -> None:
        """Use a price of the file as evidence for the decimal mark of its currency."""
        unit, *marks = _evidence(cell, currency)
        of_unit = self._shown.setdefault(unit, _Evidence(set(), set(), set()))
        for found, mark in zip(of_unit, marks, strict=True):
            if mark:
                found.add(mark)

    def mark_of(self, cell: str, currency: str | None = None) -> str | None:
        """Return the decimal mark for this price, or None if the observed prices do not show the mark."""
        unit = _unit(cell, currency)
        own = self._shown.get(unit)
        if own and (own.decimals or own.thousands):
            return own.decimal_mark()
        others = [each for name, each in self._shown.items() if name not in THREE_DECIMALS]
        if unit in THREE_DECIMALS or not others:
            return None
        return _Evidence(*(set().union(*sets) for sets in zip(*others, strict=True))).decimal_mark()


class _Evidence(NamedTuple):
    decimals: set[str]  # marks that separate decimals in some price
    thousands: set[str]  # marks that separate thousands in some price
    doubtful: set[str]  # marks before three digits of which the last is not 0; they rarely separate decimals

    def decimal_mark(self) -> str | None:
        marks = self.decimals - self.thousands - self.doubtful
        if len(self.decimals) == 1 and len(marks) == 1:
            return next(iter(marks))
        if not self.decimals and len(self.thousands) == 1:
            return "," if "." in self.thousands else "."
        return None


def may_be_equal(unit: str, other: str) -> bool:
    """Return whether two units can stand for the same currency."""
    return not SHARED.get(unit, {unit}).isdisjoint(SHARED.get(other, {other}))


def shown(cell: str) -> str:
    return cell if len(cell) <= 40 else cell[:40] + "..."


def _plain_character(character: str) -> str:
    if character.isspace():
        return " "
    if character.isdecimal():
        return str(int(character))
    if character in _INVISIBLE:
        return ""
    if "\uff01" <= character <= "\uff5e":  # the wide forms of ASCII characters
        return chr(ord(character) - 0xFEE0)
    return "'" if character in _APOSTROPHES else character


def _units(text: str, cell: str) -> list[str]:
    """Return the currencies in a text before or after the amount, as codes or shared symbols."""
    text = text.strip()
    if not text:
        return []
    whole = _unit_of(text.replace(" ", ""))
    found = [whole] if whole else [_unit_of(part) for part in text.split()]
    if None in found:
        raise _no_number(cell)
    return [unit for unit in found if unit is not None]


@lru_cache
def _unit_of(symbol: str) -> str | None:
    bare = symbol.rstrip(".") or symbol
    bare = OTHER_SPELLINGS.get(bare, bare)
    lower = bare.lower()
    if known := SYMBOLS.get(symbol) or SYMBOLS.get(bare) or SYMBOLS.get(bare.upper()) or SYMBOLS.get(lower):
        return known
    if lower in SHARED:
        return lower
    if bare.upper() in CODES:
        return bare.upper()
    if match := re.fullmatch(r"([A-Za-z]{3})([$€£¥₹])|([$€£¥₹])([A-Za-z]{3})", bare):  # "USD$", "€EUR"
        code, sign = (match[1] or match[4]).upper(), match[2] or match[3]
        is_code = code in CODES and SYMBOLS.get(sign, code) == code and code in SHARED.get(sign, {code})
        return code if is_code else None
    return None


def _unit(cell: str, currency: str | None) -> str | None:
    written = split(cell)
    return written.currency or currency or written.unit


def _amount(digits: str, unit: str | None, decimal_mark: str | None, cell: str) -> Decimal:
    mark, before, after = _split_at_decimal_mark(digits, cell)
    if mark == _EITHER:
        used = next(character for character in digits if character in ".,")
        if unit in NO_DECIMALS and used != decimal_mark:
            mark = ""
        elif (
            decimal_mark is None and unit in THREE_DECIMALS and unit != "IQD" and used == "."
        ):  # in Iraqi dinars, a dot separates thousands, although the currency has three decimals
            mark = "."
        elif decimal_mark is None or unit in NO_DECIMALS:
            raise AmbiguousPrice(f'price "{shown(cell)}" {AMBIGUOUS}; write thousands without a separator: 1299.00')
        else:
            mark = used if used == decimal_mark else ""
        return Decimal(f"{before}.{after}" if mark else before + after)
    return Decimal(f"{before or 0}.{after}" if after else before)


def _split_at_decimal_mark(digits: str, cell: str) -> tuple[str, str, str]:
    """Return the decimal mark, the digits before it, and the digits after it.

    The mark is "" for a whole number, and _EITHER if the last three digits could be decimals or thousands.
    """
    digits = re.sub(r"\s+", " ", digits)
    if _ARABIC_DECIMAL in digits:
        before, _, after = digits.partition(_ARABIC_DECIMAL)
        if not after.isdecimal():
            raise _no_number(cell)
        return ".", _join_groups(before, cell), after
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return "", _join_groups(digits, cell), ""
    mark, before, after = digits[last], digits[:last], digits[last + 1 :]
    if not after.isdecimal() or mark in before:
        return "", _join_groups(digits, cell), ""
    if before.isdecimal() and len(before) <= 3 and len(after) == 3 and not before.startswith("0"):
        return _EITHER, before, after
    return mark, _join_groups(before, cell) if before else "", after


def _join_groups(digits: str, cell: str) -> str:
    """Remove the characters between groups of digits. The first group has one to three digits.

    Each other group has three digits. In India's "12,34,567", the groups between the first and the last have two.
    """
    if digits.isdecimal():
        return digits
    marks = {character for character in digits if not character.isdecimal()}
    mark = marks.pop()
    groups = digits.split(mark)
    of_three = 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
    indian = 1 <= len(groups[0]) <= 2 and all(len(group) == 2 for group in groups[1:-1]) and len(groups[-1]) == 3
    if marks or not (of_three or indian):
        if mark in ".,":
            raise ValueError(
                f'price "{shown(cell)}" has groups of digits that are not thousands; write thousands without a '
                "separator: 1299.00"
            )
        raise _no_number(cell)
    return "".join(groups)


@lru_cache(maxsize=10_000)
def _evidence(cell: str, currency: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    """Return the currency of a price, and the marks that the price shows: one for decimals, one for thousands and a
    doubtful one (see _Evidence). A mark that the price does not show is None."""
    if _PLAIN.fullmatch(cell):
        return currency, ("." if "." in cell else None), None, None
    try:
        digits, unit = split(cell).digits, _unit(cell, currency)
        mark, _, after = _split_at_decimal_mark(digits, cell)
    except ValueError:
        return None, None, None, None
    marks = {character for character in digits if character in ".,"} - {mark}
    other = next(iter(marks), None)
    if mark != _EITHER:
        return unit, mark if mark in (".", ",") else None, other, None
    two_decimals = unit not in NO_DECIMALS and unit not in THREE_DECIMALS
    return unit, None, None, other if two_decimals and not after.endswith("0") else None


def _checked(amount: Decimal, cell: str, currency: str | None = None) -> Decimal:
    if amount > MAX_PRICE:
        raise ValueError(f'price "{shown(cell)}" is over {MAX_PRICE:,}')
    rounded = amount.quantize(CENT)
    if amount != rounded and currency not in THREE_DECIMALS and abs(amount - rounded) > ROUNDING_NOISE * amount:
        raise ValueError(f'price "{shown(cell)}" has more than two decimals')
    return rounded


def _no_number(cell: str) -> ValueError:
    return ValueError(f'price "{shown(cell)}" is not a number; write it like 12.50 or 12.50 USD')
