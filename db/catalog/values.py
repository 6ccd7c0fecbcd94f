"""Converts a cell from the way shops write it to the value in the catalog, or raises ValueError with the reason."""

import re
from decimal import Decimal
from functools import lru_cache

MAX_PRICE = Decimal("9999999999.99")  # the largest value of the column's type, numeric(12,2)
MAX_PRICE_LENGTH = 50  # characters, including white space and currency

_SYMBOLS = {"€": "EUR", "£": "GBP", "₹": "INR"}  # $ and ¥ are missing, because several currencies use them
_AMOUNT = r"(?P<sign>[+-]?)(?P<amount>[0-9][0-9.,]*|\.[0-9]+)"
_CURRENCY = r"[A-Za-z]{3}|[€£₹$¥]"
_PRICE = re.compile(rf"(?P<before>{_CURRENCY})?\s*{_AMOUNT}\s*(?P<after>{_CURRENCY})?")

# These patterns of commas and dots mean exactly one number. "1,299" could be 1299 or 1.299, so it is refused.
_PLAIN = re.compile(r"[0-9]+\.?|[0-9]*\.[0-9]+")
_THOUSANDS_COMMA = re.compile(r"[0-9]{1,3}(,[0-9]{3})+\.[0-9]{1,2}")
_THOUSANDS_DOT = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+,[0-9]{1,2}")
_DECIMAL_COMMA = re.compile(r"[0-9]+,[0-9]{1,2}")

_AVAILABILITY = {
    "instock": "in_stock", "available": "in_stock", "limitedavailability": "in_stock", "instoreonly": "in_stock",
    "onlineonly": "in_stock", "outofstock": "out_of_stock", "soldout": "out_of_stock", "unavailable": "out_of_stock",
    "discontinued": "out_of_stock", "reserved": "out_of_stock", "preorder": "preorder", "presale": "preorder",
    "backorder": "backorder", "backordered": "backorder", "madetoorder": "backorder",
}  # fmt: skip


@lru_cache(maxsize=10_000)  # a catalog has fewer distinct prices than products
def price(cell: str) -> tuple[Decimal, str | None]:
    """Return the amount, and the currency if the cell names one: "12.50", "12.50 USD", "€ 1.299,00"."""
    match = _PRICE.fullmatch(cell.strip())
    if match is None or len(cell) > MAX_PRICE_LENGTH:
        raise ValueError(f'price "{_shown(cell)}" is not a number; write it like 12.50 or 12.50 USD')
    amount = _decimal(match["amount"], cell)
    if match["sign"] == "-":
        raise ValueError(f'price "{_shown(cell)}" is negative')
    if amount > MAX_PRICE:
        raise ValueError(f'price "{_shown(cell)}" is over {MAX_PRICE:,}')
    if amount != amount.quantize(Decimal("0.01")):
        raise ValueError(f'price "{_shown(cell)}" has more than two decimals')
    if match["before"] and match["after"]:
        raise ValueError(f'price "{_shown(cell)}" names its currency twice')
    written = match["before"] or match["after"]
    return amount.quantize(Decimal("0.01")), None if written is None else currency(written)


@lru_cache
def currency(cell: str) -> str:
    code = _SYMBOLS.get(cell.strip(), cell.strip().upper())
    if re.fullmatch("[A-Z]{3}", code) is None:
        raise ValueError(f'currency "{_shown(cell)}" is not a code of three letters such as USD')
    return code


@lru_cache
def availability(cell: str) -> str:
    """Read a feed's value ("in stock", "in_stock") or schema.org's value ("https://schema.org/InStock")."""
    word = re.sub(r"[\s_-]", "", cell.rstrip("/").rpartition("/")[2]).lower()
    if word not in _AVAILABILITY:
        raise ValueError(f'availability "{_shown(cell)}" is none of in_stock, out_of_stock, preorder, backorder')
    return _AVAILABILITY[word]


def phash(cell: str) -> str:
    """Convert 16 hexadecimal digits to the 64 binary digits of a bit(64)."""
    if re.fullmatch("[0-9a-fA-F]{16}", cell) is None:
        raise ValueError(f'image_phash "{_shown(cell)}" is not 16 hexadecimal digits')
    return f"{int(cell, 16):064b}"


def _decimal(amount: str, cell: str) -> Decimal:
    if _PLAIN.fullmatch(amount):
        return Decimal(amount)
    if _THOUSANDS_COMMA.fullmatch(amount):
        return Decimal(amount.replace(",", ""))
    if _THOUSANDS_DOT.fullmatch(amount):
        return Decimal(amount.replace(".", "").replace(",", "."))
    if _DECIMAL_COMMA.fullmatch(amount):
        return Decimal(amount.replace(",", "."))
    raise ValueError(f'price "{_shown(cell)}" could be two numbers; write thousands without a separator: 1299.00')


def _shown(cell: str) -> str:
    return cell if len(cell) <= 40 else cell[:40] + "..."
