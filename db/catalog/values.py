"""Converts a cell from the way shops write it to the value in the catalog, or raises ValueError with the reason."""

import re
from functools import lru_cache

from db.catalog.currencies import SYMBOLS
from db.catalog.prices import shown

_AVAILABILITY = {
    "instock": "in_stock", "available": "in_stock", "limitedavailability": "in_stock", "instoreonly": "in_stock",
    "onlineonly": "in_stock", "outofstock": "out_of_stock", "soldout": "out_of_stock", "unavailable": "out_of_stock",
    "discontinued": "out_of_stock", "reserved": "out_of_stock", "preorder": "preorder", "presale": "preorder",
    "backorder": "backorder", "backordered": "backorder", "madetoorder": "backorder",
}  # fmt: skip


@lru_cache
def currency(cell: str) -> str:
    code = SYMBOLS.get(cell.strip(), cell.strip().upper())
    if re.fullmatch("[A-Z]{3}", code) is None:
        raise ValueError(f'currency "{shown(cell)}" is not a code of three letters such as USD')
    return code


@lru_cache
def availability(cell: str) -> str:
    """Read a feed's value ("in stock", "in_stock") or schema.org's value ("https://schema.org/InStock")."""
    word = re.sub(r"[\s_-]", "", cell.rstrip("/").rpartition("/")[2]).lower()
    if word not in _AVAILABILITY:
        raise ValueError(f'availability "{shown(cell)}" is none of in_stock, out_of_stock, preorder, backorder')
    return _AVAILABILITY[word]


def phash(cell: str) -> str:
    """Convert 16 hexadecimal digits to the 64 binary digits of a bit(64)."""
    if re.fullmatch("[0-9a-fA-F]{16}", cell) is None:
        raise ValueError(f'image_phash "{shown(cell)}" is not 16 hexadecimal digits')
    return f"{int(cell, 16):064b}"
