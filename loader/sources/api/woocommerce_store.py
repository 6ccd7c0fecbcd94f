"""Translates products of WooCommerce's Store API (`/wp-json/wc/store/v1/products`), which shops serve to everybody.

The prices are whole numbers in the smallest unit of the currency, and `currency_minor_unit` is the number of decimals.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from db.catalog.rows.cells import is_empty
from loader.sources.api.platform import ApiPlatform, Record, names_in, objects, text

DIGITS = 18  # if a price of a product has more digits, all prices of the product stay an attribute


class WooCommerceStore(ApiPlatform):
    def recognises(self, record: Mapping[str, Any]) -> bool:
        prices = record.get("prices")
        return "id" in record and isinstance(prices, Mapping) and "currency_minor_unit" in prices

    def translated(self, record: Record) -> Record:
        found = dict(record)
        if isinstance(prices := found.get("prices"), Mapping):
            _set_prices(found, prices)
        found["sku"] = text(found.get("sku")) or text(found.get("id"))
        if is_empty(found.get("description")):
            found["description"] = found.pop("short_description", None)
        found["brand"] = "/".join(names_in(found.get("brands")))
        kinds = names_in(found.get("categories"))
        found["product_type"], found["product_types"] = next(iter(kinds), ""), kinds if len(kinds) > 1 else []
        found["keywords"] = names_in(found.get("tags"))
        found["attributes"] = [
            {"name": attribute.get("name"), "options": names_in(attribute.get("terms"))}
            for attribute in objects(found.get("attributes"))
            if names_in(attribute.get("terms"))
        ]
        found.pop("variations", None)  # holds only IDs; each variation is an object of its own
        parent = text(found.pop("parent", None))
        if parent not in ("", "0"):
            found["item_group_id"] = parent
        if text(found.get("review_count")) == "0":
            found.pop("average_rating", None)  # WooCommerce writes 0 for a product without a rating
        found["availability"] = _availability(found)
        found["image_alt_text"] = [alt for image in objects(found.get("images")) if (alt := text(image.get("alt")))]
        return found


def _set_prices(found: Record, prices: Mapping[str, Any]) -> None:
    """Replaces `prices` by the price, the sale price, the currency and the range of prices. If the number of decimals
    is not 0 to 4, or an amount is not a whole number of at most DIGITS digits, the prices stay an attribute."""
    decimals = prices.get("currency_minor_unit")
    written = {name: text(prices.get(name)) for name in ("price", "regular_price", "sale_price")}
    is_known = type(decimals) is int and 0 <= decimals <= 4
    if not is_known or not all(amount.isdecimal() and len(amount) <= DIGITS for amount in written.values() if amount):
        return
    amounts = {name: Decimal(amount).scaleb(-int(decimals)) for name, amount in written.items() if amount}  # type: ignore[arg-type]  # `is_known`
    regular = amounts.get("regular_price", amounts.get("price"))
    found["price"] = regular
    found["currency"] = prices.get("currency_code")
    if "sale_price" in amounts and amounts["sale_price"] != regular:
        found["sale_price"] = amounts["sale_price"]
    found["price_range"] = prices.get("price_range")
    del found["prices"]


def _availability(record: Record) -> str:
    if record.get("is_in_stock") is False:
        return "out_of_stock"
    if record.get("is_on_backorder") is True:
        return "backorder"
    return "in_stock" if record.get("is_in_stock") is True else ""
