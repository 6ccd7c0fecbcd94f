"""Gives a variant without a price the price of its parent, as in Shopware, where an empty price is inherited."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from db.catalog.prices import shown
from db.catalog.product import SALE_DATES, RawProduct

SALE = ("sale_price", "sale_starts_at", "sale_ends_at", SALE_DATES)
PRICES = ("price", "currency", "compare_at_price", *SALE)  # the fields that a variant inherits together


def lacks_price(row: RawProduct) -> bool:
    """Returns whether the row has no price. A faulty price counts as a price."""
    return not row.fields.get("price") and all(name != "price" for name, _ in row.faults)


def with_price(row: RawProduct, parent: Mapping[str, str], name: str) -> RawProduct:
    """Returns the row with the price of its parent. If the row cannot inherit this price, returns the row with a
    warning. `name` is an identifier of the parent."""
    if reason := _not_inherited(row, parent, shown(name)):
        return replace(row, warnings=[*row.warnings, ("price", f"price is empty, and {reason}")])
    has_sale = any(row.fields.get(field) for field in SALE)
    inherited = {field: parent[field] for field in PRICES if parent.get(field) and not (has_sale and field in SALE)}
    return replace(row, fields={**inherited, **row.fields})


def _not_inherited(row: RawProduct, parent: Mapping[str, str], name: str) -> str:
    if not parent.get("price"):
        return f'so is the price of the parent "{name}"'
    currency = row.fields.get("currency")
    if currency and currency.upper() != parent.get("currency", currency).upper():
        return f'the price of the parent "{name}" is in {parent["currency"]} instead of {currency}'
    try:
        has_surcharge = Decimal(str(row.attributes.get("surcharge") or 0)) != 0
    except InvalidOperation:
        has_surcharge = True
    return f'the surcharge is not added to the price of the parent "{name}"' if has_surcharge else ""
