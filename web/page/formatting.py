"""Formats prices, numbers and codes for visitors."""

from decimal import Decimal

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}


def money(price: Decimal | None, currency: str | None) -> str | None:
    if price is None:
        return None
    number = f"{price:,.0f}" if price == price.to_integral() else f"{price:,.2f}"
    sign = SIGNS.get(currency or "")
    return f"{sign}{number}" if sign else f"{number} {currency or ''}".strip()


def grouped(price: float) -> str:
    """Returns a price such as 10,000,000 or 9.5, with commas between thousands and without trailing zeros."""
    return f"{price:,.2f}".rstrip("0").rstrip(".")


def label(code: str) -> str:
    """Returns a code such as in_stock as "In stock"."""
    return capitalized(code.replace("_", " "))


def capitalized(text: str) -> str:
    """Capitalizes only the first letter; str.capitalize would change the other letters too."""
    return text[:1].upper() + text[1:]
