"""Gives the names of columns and attributes one spelling, because files write the same name in many ways."""

import re
from functools import lru_cache
from unicodedata import normalize

DOTLESS_I = ("\u0131", "i")  # the Turkish letter, and the letter that replaces it


@lru_cache(maxsize=10_000)
def normalised(name: str) -> str:
    """Returns the same spelling for "Image Link", "image-link", "g:image_link" and "imageLink"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s_-]+", "_", words).lower().removeprefix("g:")


@lru_cache(maxsize=10_000)
def plain_words(name: str) -> tuple[str, ...]:
    """Returns the words of a column's name in lower case, without accents and punctuation."""
    return tuple(re.findall(r"[^\W_]+", without_accents(normalised(name).casefold()).replace(*DOTLESS_I)))


def without_accents(text: str) -> str:
    return text if text.isascii() else re.sub("[\u0300-\u036f]", "", normalize("NFKD", text))
