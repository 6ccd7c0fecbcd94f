"""Finds the usual name in a longer name of a column, such as "product_price" and "name-en_US"."""

import re
from functools import lru_cache

_OF_PRODUCT = re.compile("(?:product|item|article|artikel|produkt|produit|producto|prodotto)_?")
# Codes that are also other words, such as "id", "no" and "to", are not listed.
_LANGUAGE = (
    "(?:bg|ca|cs|da|de|el|en|es|et|fi|fr|hr|hu|it|ja|ko|lt|lv|nb|nl|pl|pt|ro|ru|sk|sl|sv|tr|uk|zh)"
    "(?:_[a-z]{2}(?:_[a-z0-9]+)?)?"
)
_LOCALE = re.compile(
    rf"(?P<rest>[^\d\W][^\W]*?)(?:[_.:]{_LANGUAGE}|_?\({_LANGUAGE}\)|_?\[{_LANGUAGE}\])|{_LANGUAGE}[_.:](?P<last>\w+)"
)


@lru_cache(maxsize=10_000)
def without_locale(name: str) -> str | None:
    """Returns a normalised name without the code of its language, such as "name" for "name_en_us_ecommerce" (Akeneo's
    language and channel) and "name(en_gb)". Returns None for a name without such a code."""
    found = _LOCALE.fullmatch(name)
    return (found["rest"] or found["last"]) if found else None


@lru_cache(maxsize=10_000)
def without_product(name: str) -> str | None:
    """Returns "price" for "product_price" or "itemprice", and None for a name that begins with no such word."""
    found = _OF_PRODUCT.match(name)
    return name[found.end() :] if found else None
