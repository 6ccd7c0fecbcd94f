"""Finds a currency in the name of a column, such as "Price (EUR)", "price_usd", "Preis in €" or "EUR Price"."""

import re
from functools import lru_cache

from db.catalog.currencies import CODES, SHARED, SYMBOLS
from db.catalog.names import normalised
from db.catalog.price_words import without_included_tax

_IN_BRACKETS = re.compile(r"(?P<rest>.+?)_?[(\[](?:in_)?(?P<unit>[^()\[\]]+?)_?[)\]]")
_PATTERNS = (
    _IN_BRACKETS,
    re.compile(r"(?P<rest>.+?)(?:_in)?_(?P<unit>[^\W_]+|[a-z]{0,3}[^\w()\[\]]+[a-z]{0,2})"),
    re.compile(r"(?P<rest>.+?)(?P<unit>[^\w()\[\]]+)"),
    re.compile(r"(?P<unit>[a-z]{3})_(?P<rest>.+)"),
)
_NO_TEXT = re.compile(r"[(\[]\s*[)\]]")
# Codes that are also words or usual abbreviations in the names of columns
_WORDS = frozenset((
    "ALL", "BAM", "BOB", "COP", "CUP", "ETH", "GEL", "IMP", "KGS", "LAK", "LTL", "MAD", "MNT", "MOP", "NAD", "PEN",
    "SHP", "SOS", "STD", "SVC", "TOP", "TRY",
))  # fmt: skip


@lru_cache(maxsize=10_000)
def split_currency(written: str) -> tuple[str, str | None]:
    """Returns the normalised name of a column without its currency, and the code of this currency. `written` is the
    name in the letter case of the file. Words such as "incl. VAT" are removed. The code is None if the name has no
    currency, or only a sign that several currencies share, such as "$".

    A code that is also a word, such as "ALL", "CUP" or "TRY", counts only in upper case. If the whole name is in upper
    case, such a code counts only in brackets.
    """
    name = normalised(_NO_TEXT.sub(" ", without_included_tax(written.replace("_", " "))))
    for pattern in _PATTERNS:
        if found := pattern.fullmatch(name):
            code = _code(found["unit"])
            if code and (code not in _WORDS or _is_meant(code, written, is_in_brackets=pattern is _IN_BRACKETS)):
                return found["rest"], code
            if found["unit"] in SHARED and not found["unit"].isalpha():
                return found["rest"], None
    return name, None


def _code(unit: str) -> str | None:
    if (code := unit.upper()) in CODES:
        return code
    if unit.isascii() and "$" not in unit:
        return None  # "r" and "km" are symbols of currencies, but usually abbreviations of other words
    return next((SYMBOLS[symbol] for symbol in (unit, code, unit.capitalize()) if symbol in SYMBOLS), None)


def _is_meant(code: str, written: str, *, is_in_brackets: bool) -> bool:
    """Returns whether the name has the code in upper case. If the whole name is in upper case, the code must also be in
    brackets."""
    return re.search(rf"(?<![A-Z]){code}(?![A-Z])", written) is not None and (is_in_brackets or not written.isupper())
