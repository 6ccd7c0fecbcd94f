"""Translates products of the GraphQL API of Magento 2 and Adobe Commerce, which has the prices in `price_range`."""

from collections.abc import Mapping
from typing import Any

from loader.sources.api.platform import ApiPlatform, Record


class MagentoGraphql(ApiPlatform):
    def recognises(self, record: Mapping[str, Any]) -> bool:
        prices = record.get("price_range")
        return "sku" in record and isinstance(prices, Mapping) and isinstance(prices.get("minimum_price"), Mapping)

    def translated(self, record: Record) -> Record:
        prices = record.get("price_range")
        lowest = prices.get("minimum_price") if isinstance(prices, Mapping) else None
        if not isinstance(lowest, Mapping):
            return record
        found = dict(record)
        regular, final = lowest.get("regular_price"), lowest.get("final_price")
        found["price"] = regular or final
        if _value(regular) is not None and _value(final) is not None and _value(final) != _value(regular):
            found["sale_price"] = final
        return found


def _value(price: Any) -> Any:
    return price.get("value") if isinstance(price, Mapping) else None
