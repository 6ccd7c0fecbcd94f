"""Applies what other columns of a record say about its prices, such as "on sale: no" and "type: variable"."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from db.catalog import prices
from db.catalog.names import plain_words
from db.catalog.rows.options import is_false

# Names without blanks, accents and punctuation
_ON_SALE = re.compile(
    "(?:is|has|use|ist)?(?:in|on|im|en|em|w|pa)?(?:sale|offer|promo|promotion|specialoffer|saleprice|specialprice|discount"
    "|discounted|reduced|angebot|aktion|sonderangebot|reduziert|rabattiert|soldes?|oferta|promocion|offerta|promozione"
    "|sconto|aanbieding|actie|promocao|promocji|promocja|rea|tilbud)"
    "(?:active|enabled|flag|status|yesno|aktiv|actif|activa|activo|attiva|actief)?|onsalenow|salesactive"
)

_ZERO = re.compile(r"[^0-9,.-]{0,4}0+([.,]0+)?[^0-9,.-]{0,4}")
_KINDS = ("type", "product_type", "item_type", "parentage", "parentage_level", "parent_child", "variation_type")
_PARENTS = frozenset(("variable", "variable product", "configurable", "configurable product", "parent", "grouped"))


@lru_cache(maxsize=10_000)
def says_on_sale(name: str) -> bool:
    return _ON_SALE.fullmatch("".join(plain_words(name))) is not None


def is_off(cell: Any) -> bool:
    """Returns whether a cell means no: "no", "false", 0, 0.0 or false."""
    if isinstance(cell, bool | int | float):
        return not cell
    return isinstance(cell, str) and (is_false(cell) or re.fullmatch(r"0(\.0+)?", cell.strip()) is not None)


def drop_flagged_sale(fields: dict[str, str], columns: Mapping[str, Any], warnings: list[tuple[str, str]]) -> None:
    """Drops the sale price, with a warning, if one of the columns says that the product is not on sale."""
    if "sale_price" not in fields:
        return
    if name := next((name for name, cell in columns.items() if says_on_sale(name) and is_off(cell)), None):
        written = fields.pop("sale_price")
        if written != fields.get("price"):
            reason = f'sale_price "{prices.shown(written)}" is left out, because {name} is "{columns[name]}"'
            warnings.append(("sale_price", reason))


def drop_price_of_parent(
    fields: dict[str, str], attributes: Mapping[str, Any], warnings: list[tuple[str, str]]
) -> None:
    """Drops a price of 0, with a warning, if the row is the parent of variants, because the variants have the price."""
    if "0" not in fields.get("price", "")[:5] or not _ZERO.fullmatch(fields["price"]):
        return
    kinds = (fields.get("product_type"), *map(attributes.get, _KINDS))
    if any(isinstance(kind, str) and kind.strip().lower().replace("_", " ") in _PARENTS for kind in kinds):
        del fields["price"]
        warnings.append(("price", "price 0 of a parent of variants is left out"))
