"""Translates products of Stripe's API (`/v1/products`). Stripe writes amounts in the smallest unit of the currency."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from db.catalog.rows.cells import FaultyValue, is_empty
from loader.sources.api.platform import ApiPlatform, Record, text

# Stripe's page "Supported currencies" lists the currencies whose amounts have no decimals or three decimals.
NO_DECIMALS = frozenset((
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
))  # fmt: skip
THREE_DECIMALS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))


class Stripe(ApiPlatform):
    def recognises(self, record: Mapping[str, Any]) -> bool:
        return record.get("object") == "product" and text(record.get("id")).startswith("prod_")

    def translated(self, record: Record) -> Record:
        found = dict(record)
        if isinstance(price := found.get("default_price"), Mapping):
            found["price"] = _amount(price)
            if not isinstance(found["price"], FaultyValue):
                del found["default_price"]
        if found.get("active") is False:
            found["availability"] = "out_of_stock"
        return {name: value for name, value in found.items() if not is_empty(value)}


def _amount(price: Mapping[str, Any]) -> Any:
    """Returns the currency, and the amount in its main unit, for example in euros and not in cents. Returns a
    FaultyValue for a price without an amount, such as a tiered price."""
    written, currency = price.get("unit_amount_decimal"), text(price.get("currency")).upper()
    written = text(price.get("unit_amount") if is_empty(written) else written)
    try:
        amount = Decimal(written)
    except ArithmeticError:
        return FaultyValue("price has no unit_amount")
    decimals = 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2
    return {"value": amount.scaleb(-decimals), "currency": currency}
