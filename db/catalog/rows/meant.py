"""Applies what other columns of a record say about its prices, such as "on sale: no" and "type: variable"."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from db.catalog import prices
from db.catalog.names import plain_words
from db.catalog.private_attributes import is_private
from db.catalog.rows.options import is_false

# Names without blanks, accents and punctuation
_ON_SALE = re.compile(
    "(?:is|has|use|ist)?(?:in|on|im|en|em|w|pa)?(?:sale|offer|promo|promotion|specialoffer|saleprice|specialprice"
    "|discount|discounted|reduced|angebot|aktion|sonderangebot|reduziert|rabattiert"
    "|soldes?|oferta|promocion|offerta|promozione"
    "|sconto|aanbieding|actie|promocao|promocji|promocja|rea|tilbud)"
    "(?:active|enabled|flag|status|yesno|aktiv|actif|activa|activo|attiva|actief)?|onsalenow|salesactive"
    "|(?:sonderpreis|aktionspreis|angebotspreis|prixpromo|preciooferta|prezzoscontato|actieprijs)a[ck]ti[vef]+[ao]?"
)

_ZERO = re.compile(r"[^0-9,.-]{0,4}0+([.,]0+)?[^0-9,.-]{0,4}")
_KINDS = ("type", "product_type", "item_type", "parentage", "parentage_level", "parent_child", "variation_type")
# Kinds of products that platforms write into a column such as "type". They are no categories.
_KINDS_OF_PRODUCTS = frozenset((
    "simple", "variable", "variation", "variant", "configurable", "grouped", "bundle", "virtual", "downloadable",
    "physical", "digital", "product", "parent", "child", "simple product", "variable product", "configurable product",
    "grouped product", "product variation",
))  # fmt: skip
_PARENTS = frozenset(("variable", "variable product", "configurable", "configurable product", "parent", "grouped"))

# Finds other prices of a product by the name of their column. _OTHER_KIND finds prices that are no selling price.
_PRICE = re.compile("price|preis|prix|precio|prezzo|prijs|preco|cena|pris(?!m|ta)")
_OTHER_KIND = re.compile(
    "^product_|^parent_|unit|base|basis|basic|grund|ship|deliver|versand|(?:^|_)net(?:_|$)|nett|excl|ohne|ex_|without"
    "|_ht|hors|sin_|senza|tax|vat|mwst|tva|iva|btw|min|low|from|_ab_|tier|staffel|bulk|qty|quantity|per_|_per|pro_"
    "|deposit|pfand|rent|miet|lease|month|monat|rate|code|currency|list|type|id$|group|range|label|text|format"
    "|history|unter|stuck|100|kg|liter|surcharge|impact|diff"
)
_SHOWN = frozenset(("formatted", "display", "displayed", "shown", "text", "label", "string", "html", "str"))


@lru_cache(maxsize=10_000)
def says_on_sale(name: str) -> bool:
    return _ON_SALE.fullmatch("".join(plain_words(name))) is not None


def is_kind(cell: Any) -> bool:
    """Returns whether a cell has a platform's word for a kind of product, such as "simple", which is no category."""
    return isinstance(cell, str) and cell.strip().lower().replace("_", " ") in _KINDS_OF_PRODUCTS


def join_levels(fields: dict[str, str], attributes: dict[str, Any], columns: Sequence[str]) -> None:
    """Makes the product type of the levels of a category, which are in these columns, unless the row has one. A word
    for a kind of product is no product type, and becomes the attribute `type`."""
    kind = fields.get("product_type", "product")
    texts = [attributes.get(name) for name in columns]
    levels = [text for text in texts if isinstance(text, str) and not text.isdecimal()]
    if levels and is_kind(kind):
        if "product_type" in fields:
            attributes.setdefault("type", kind)
        fields["product_type"] = " > ".join(levels)


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


@lru_cache(maxsize=10_000)
def may_be_selling_price(name: str) -> bool:
    """Returns whether a column with this name may hold the price that customers pay."""
    plain = "_".join(plain_words(name))
    return bool(_PRICE.search(plain)) and not _OTHER_KIND.search(plain) and not is_private(name)


def warn_of_lower_price(fields: Mapping[str, str], columns: Mapping[str, Any], warnings: list[tuple[str, str]]) -> None:
    """Adds a warning if one of the columns has a lower price than the price of a product without a sale price."""
    if "price" not in fields or "sale_price" in fields or (price := _amount(fields["price"])) is None:
        return
    for name, cell in columns.items():
        amount = _amount(str(cell)) if isinstance(cell, str | int | float) else None
        if amount is not None and 0 < amount < price:
            reason = f"price is {prices.shown(fields['price'])}, but {name} is lower, and became an attribute"
            warnings.append(("price", f"{reason}; to load it as a field: --map sale_price=COLUMN or price=COLUMN"))
            return


@lru_cache(maxsize=10_000)
def shows_price(name: str) -> bool:
    """Returns whether a column with this name may hold the price as the shop shows it, such as "price_formatted"."""
    words = plain_words(name)
    rest = "_".join(word for word in words if word not in _SHOWN)
    return rest != "_".join(words) and bool(_PRICE.search(rest)) and not _OTHER_KIND.search(rest)


def drop_price_in_cents(fields: dict[str, str], columns: Mapping[str, Any], faults: list[tuple[str, str]]) -> None:
    """Drops a whole price if one of the columns shows the same price with a hundredth of the amount, because such a
    price is in cents."""
    if not fields.get("price", "").isdecimal():
        return
    price = Decimal(fields["price"])
    for name, cell in columns.items():
        amount = _amount(cell) if isinstance(cell, str) else None
        if amount and price == amount * 100:
            faults.append(
                ("price", f'price "{fields.pop("price")}" is in cents, because {name} is "{prices.shown(cell)}"')
            )
            return


def _amount(written: str) -> Decimal | None:
    try:
        return prices.price(written)[0]
    except ValueError:
        return None
