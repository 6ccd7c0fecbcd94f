"""Computes the sale price of a product from a column with a discount, such as "discount %" and Wix's discountValue."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from db.catalog import prices
from db.catalog.names import plain_words
from db.catalog.prices import CENT, shown

WIX_MODE, WIX_VALUE = "discount_mode", "discount_value"
_DISCOUNT = (
    "discount|reduction|markdown|rabatt?|preisnachlass|nachlass|remise|descuento|sconto|korting|desconto|znizk[ai]|off"
)
_PERCENT = (
    "percent(?:age)?|pct|perc|prozent(?:satz)?|pourcentage|porcentaje|percentuale|percentagem|porcentagem|procent"
)
_NAME = re.compile(
    f"(?:price|sale)?(?:{_DISCOUNT})s?(?:in|en|di|de)?(?P<percent>{_PERCENT}|rate)?(?:value)?"
    f"|(?P<first>{_PERCENT})(?:de|di|do|da|of)?(?:la|le)?(?:{_DISCOUNT}|rabatu|znizki)"
)
_NUMBER = re.compile(r"-?([0-9]{1,7}(?:[.,][0-9]{1,6})?)\s*(%?)")  # up to six decimals, as in PrestaShop's tables


@lru_cache(maxsize=10_000)
def says_discount(name: str) -> bool:
    """Returns whether a column with this name can hold a discount that reduces the price."""
    return name in (WIX_MODE, WIX_VALUE) or _matched(name) is not None


def add_sale_price(fields: dict[str, str], columns: Mapping[str, Any], warnings: list[tuple[str, str]]) -> None:
    """Adds the price less the discount as the sale price, if the product has neither a sale price nor a compare-at
    price. With one of these, the price is reduced already. Adds a warning if the discount or the price cannot be read,
    or if the reduced price would not be above 0.

    A number is a percentage if it has a percent sign, or if the name of its column says so.
    """
    if "price" not in fields or "sale_price" in fields or "compare_at_price" in fields:
        return
    mode = str(columns.get(WIX_MODE, "")).strip().upper()
    for name, cell in columns.items():
        if name == WIX_MODE or (name == WIX_VALUE and not mode) or isinstance(cell, bool | dict | list):
            continue
        found = _NUMBER.fullmatch(str(cell).strip())
        number = Decimal(found[1].replace(",", ".")) if found else None
        if number == 0:
            continue
        is_amount = name == WIX_VALUE and mode == "AMOUNT"
        has_sign = found is not None and found[2] == "%"
        is_percentage = has_sign or (name == WIX_VALUE and mode == "PERCENT") or _is_percentage(name)
        if is_percentage and not has_sign and number is not None and number < 1:
            number = None  # 0.2 could be a fifth
        reduced = _reduced(fields, number, is_amount) if number and (is_amount or is_percentage) else None
        if reduced:
            fields["sale_price"] = reduced
            return
        if is_amount or is_percentage:
            warnings.append(
                ("sale_price", f'{name} "{shown(str(cell))}" does not reduce the price to a readable one above 0')
            )
            return


def _reduced(fields: Mapping[str, str], number: Decimal, is_amount: bool) -> str | None:
    try:
        full, unit = prices.price(fields["price"])[0], prices.split(fields["price"]).unit
    except ValueError:
        return None
    reduced = full - number if is_amount else full * (100 - number) / 100
    if not 0 < reduced < full:
        return None
    return f"{reduced.quantize(CENT, ROUND_HALF_UP)} {unit or ''}".strip()


@lru_cache(maxsize=10_000)
def _is_percentage(name: str) -> bool:
    found = _matched(name)
    return found is not None and ("%" in name or bool(found["percent"] or found["first"]))


def _matched(name: str) -> re.Match[str] | None:
    return _NAME.fullmatch("".join(plain_words(name)))
