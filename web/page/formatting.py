"""Formats codes for visitors. web/page/brand/languages.py formats prices and numbers."""

from web.page.brand.languages import gettext, marked

# The availabilities of products.
_CODES = (marked("In stock"), marked("Out of stock"), marked("Preorder"), marked("Backorder"))


def label(code: str) -> str:
    """Returns a code such as in_stock as "In stock", in the visitor's language."""
    return gettext(capitalized(code.replace("_", " ")))


def capitalized(text: str) -> str:
    """Capitalizes only the first letter; str.capitalize would change the other letters too."""
    return text[:1].upper() + text[1:]
