"""Translates products of Medusa's API, version 1 or 2.

Version 1 writes amounts in the smallest unit of the currency (1999 for 19.99 EUR). Version 2 writes amounts in the
currency itself. The reader recognises the version by the ID of a price and by members that only one of the versions
has. If neither shows the version and the amount could be of either version, the price is faulty.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from db.catalog.currencies import NO_DECIMALS, THREE_DECIMALS
from db.catalog.rows.cells import FaultyValue, is_empty
from loader.sources.api.platform import ApiPlatform, Record, objects, text

SIGNS = frozenset(("is_giftcard", "discountable", "thumbnail", "origin_country", "mid_code", "hs_code"))
CONDITIONS = ("min_quantity", "max_quantity", "price_list_id", "region_id")
# Members of a price that only one of the versions has
ONLY_1 = ("price_list_id", "region_id", "region", "price_list")
ONLY_2 = ("raw_amount", "price_set_id", "price_set", "rules", "price_rules", "rules_count", "raw_min_quantity")
# Version 1 writes these members of a variant in the smallest unit of a currency that the variant does not name.
OF_A_REGION = (
    "original_price", "calculated_price", "original_price_incl_tax", "calculated_price_incl_tax", "original_tax",
    "calculated_tax",
)  # fmt: skip


class Medusa(ApiPlatform):
    def recognises(self, record: Mapping[str, Any]) -> bool:
        variants = objects(record.get("variants"))
        return bool(variants) and (
            len(SIGNS.intersection(record)) >= 2
            or any("currency_code" in price and "amount" in price for price in objects(variants[0].get("prices")))
        )

    def translated(self, record: Record) -> Record:
        found = dict(record)
        variants = record.get("variants")
        if not isinstance(variants, list) or not all(isinstance(variant, dict) for variant in variants):
            return record  # Medusa itself does not write such a list
        labels = {text(option.get("id")): text(option.get("title")) for option in objects(record.get("options"))}
        found["variants"] = [_variant(variant, labels) for variant in variants]
        kind = record.get("type")
        name = text(kind.get("value")) if isinstance(kind, Mapping) else text(kind)
        categories = [text(each.get("name")) for each in objects(record.get("categories")) if text(each.get("name"))]
        found["product_type"] = name or next(iter(categories), "")
        found["product_types"] = categories
        if not is_empty(subtitle := found.get("subtitle")) and is_empty(found.get("description")):
            found["description"] = subtitle
            del found["subtitle"]
        return found


def _variant(variant: Record, labels: Mapping[str, str]) -> Record:
    found = dict(variant)
    options = objects(found.get("options"))
    if options and all(text(option.get("option_id")) in labels for option in options):
        found["options"] = [
            {"name": labels[text(option["option_id"])], "value": option.get("value")} for option in options
        ]
    if not isinstance(found.get("calculated_price"), Mapping):
        of_region = {name: found.pop(name) for name in OF_A_REGION if name in found}
        found["prices_of_region"] = {name: value for name, value in of_region.items() if not is_empty(value)}
    else:
        _set_calculated(found, found["calculated_price"])
    prices = objects(found.get("prices"))
    # The price for everybody has no lowest or highest quantity, price list, region or rule.
    price = next((each for each in prices if _is_for_all(each)), None)
    if price is not None:
        found["price"] = _amount(price, variant)
        if len(prices) == 1:
            del found["prices"]
    return found


def _set_calculated(found: Record, calculated: Mapping[str, Any]) -> None:
    """Sets the prices that version 2 has calculated for the region of the request."""
    amount, original = (calculated.get(f"{name}_amount") for name in ("calculated", "original"))
    currency = text(calculated.get("currency_code")).upper()
    numbers = [number for number in (amount, original) if isinstance(number, int | float)]
    if len(numbers) == 2 and numbers[0] < numbers[1]:
        found["price"] = {"value": original, "currency": currency}
        found["sale_price"] = {"value": amount, "currency": currency}
    elif not is_empty(amount):
        found["price"] = {"value": amount, "currency": currency}


def _is_for_all(price: Mapping[str, Any]) -> bool:
    has_rules = bool(price.get("rules") or price.get("price_rules") or price.get("rules_count"))
    return not has_rules and all(is_empty(price.get(name)) for name in CONDITIONS)


def _amount(price: Mapping[str, Any], variant: Mapping[str, Any]) -> Any:
    amount, currency = price.get("amount"), text(price.get("currency_code")).upper()
    if not isinstance(amount, int | float | str | Decimal) or isinstance(amount, bool):
        return FaultyValue("price has no amount")
    version = _version(price, variant)
    try:
        exact = Decimal(str(amount))
        is_whole = exact == exact.to_integral_value()
    except ArithmeticError:
        return FaultyValue(f'price "{str(amount)[:40]}" is not a number')
    if version == 0 and not is_whole:
        version = 2
    if version == 1 and is_whole:
        exact = exact.scaleb(0 if currency in NO_DECIMALS else -3 if currency in THREE_DECIMALS else -2)
    elif version != 2 and currency not in NO_DECIMALS:
        return FaultyValue(
            f"price {amount} {currency} could be in the currency or in its smallest unit: no member of the price shows "
            "the version of Medusa"
        )
    return {"value": exact, "currency": currency}


def _version(price: Mapping[str, Any], variant: Mapping[str, Any]) -> int:
    """Returns 1 or 2, or 0 if no member shows the version, or if members contradict each other."""
    identifier = text(price.get("id"))
    is_1 = identifier.startswith("ma_") or any(name in price for name in ONLY_1)
    is_2 = (
        identifier.startswith("price_")
        or any(name in price for name in ONLY_2)
        or isinstance(variant.get("calculated_price"), Mapping)
        or any(name in variant for name in ("price_set", "inventory_items"))
    )
    return 0 if is_1 == is_2 else 1 if is_1 else 2
