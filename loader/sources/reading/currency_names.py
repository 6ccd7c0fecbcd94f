"""Finds a currency in the name of a column, such as "Price (EUR)", "price_usd" or "Preis in €"."""

import re
from functools import lru_cache

from db.catalog.currencies import CODES, SYMBOLS

_PATTERNS = tuple(
    map(
        re.compile,
        (
            r"(?P<rest>.+?)_?[(\[](?:in_)?(?P<unit>[^()\[\]]+)[)\]]",
            r"(?P<rest>.+?)(?:_in)?_(?P<unit>[^\W_]+|[^\w()\[\]]+)",
            r"(?P<rest>.+?)(?P<unit>[^\w()\[\]]+)",
            r"(?P<unit>[a-z]{3})_(?P<rest>.+)",
        ),
    )
)
_WORDS = frozenset(("all", "top", "try"))  # codes that are words of English too; they count only in brackets


@lru_cache(maxsize=10_000)
def split_currency(name: str) -> tuple[str, str | None]:
    """Returns the rest of a normalised name and the code of its currency. A name without a currency is returned as it
    is, with None. A sign of several currencies, such as "$", is no currency."""
    for pattern in _PATTERNS:
        found = pattern.fullmatch(name)
        if found and (code := _code(found["unit"])) and (found["unit"] not in _WORDS or pattern is _PATTERNS[0]):
            return found["rest"], code
    return name, None


def _code(unit: str) -> str | None:
    code = unit.upper()
    return code if code in CODES else None if unit.isascii() else SYMBOLS.get(unit)
