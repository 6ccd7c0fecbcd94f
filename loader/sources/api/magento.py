"""Translates products of the REST API of Magento 2 and Adobe Commerce (`/rest/V1/products`).

The attributes that a shop defines are in the list `custom_attributes`, and the stock is in `extension_attributes`. An
attribute with a list of choices holds only the number of a choice, because the API does not give the choice's name.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from db.catalog.prices import CENT
from db.catalog.rows.cells import is_empty
from db.catalog.rows.options import field_of_option, stock_sign, whole_number
from loader.sources.api.platform import ApiPlatform, Record, listed, objects, of_the_product, text
from loader.sources.reading.platform_table import MORE_DECIMALS

IMAGES = ("image", "small_image", "thumbnail", "swatch_image")
BRANDS = ("brand", "manufacturer")
NO_IMAGE = "no_selection"
NUMBERS = re.compile(r"\d+(,\d+)*")  # the numbers of choices, separated by commas
EVERYBODY = ("", "0", "32000")  # no customer group, "not logged in" and "all groups"
MIDNIGHT = " 00:00:00"  # removed from the last date of a sale, because in Magento a sale includes its whole last day
NOT_SOLD_ALONE = ("configurable", "bundle", "grouped")  # a product of these types with price 0 has no price of its own
# Members of a configurable product that its variants do not inherit
OF_THE_PARENT = (
    "id", "sku", "price", "status", "visibility", "type_id", "created_at", "updated_at", "weight", "special_price",
    "special_from_date", "special_to_date", "msrp", "url_key", "availability", "quantity", "stock_item", "gtin", "ean",
    "upc", "barcode", "isbn", "mpn", "configurable_product_links", "required_options", "has_options", "image_alt_text",
)  # fmt: skip


class Magento(ApiPlatform):
    is_linked = True

    def recognises(self, record: Mapping[str, Any]) -> bool:
        return "sku" in record and (
            ("custom_attributes" in record and "type_id" in record)
            or {"attribute_set_id", "type_id", "visibility"} <= set(record)
        )

    def translated(self, record: Record) -> Record:
        found = {name: value for name, value in record.items() if name not in ("custom_attributes", "options")}
        if not is_empty(record.get("options")):
            found["custom_options"] = record["options"]
        others = []
        written = record.get("custom_attributes")
        for attribute in written if isinstance(written, list) else [written]:
            if not isinstance(attribute, dict) or not (code := text(attribute.get("attribute_code"))):
                others.append(attribute)
            else:
                found[f"custom_{code}" if code in found else code] = attribute.get("value")
        found["custom_attributes"] = others
        extension = found.pop("extension_attributes", None)
        for name, value in extension.items() if isinstance(extension, dict) else ():
            found[f"extension_{name}" if name in found else name] = value
        for name in [name for name in found if field_of_option(name) or name in BRANDS]:
            if NUMBERS.fullmatch(text(found[name])):
                found[f"{name}_option"] = found.pop(name)
        if found.get("type_id") in NOT_SOLD_ALONE and stock_sign(text(found.get("price"))) == 0:
            found.pop("price")
        _set_tier_prices(found)
        for name in ("price", "special_price"):
            if (exact := text(found.get(name))) and MORE_DECIMALS.fullmatch(exact):
                found[name] = str(price := Decimal(exact).quantize(CENT, ROUND_HALF_UP))
                if price != Decimal(exact):
                    found[f"exact_{name}"] = exact
        if is_empty(found.get("description")):
            found["description"] = found.pop("short_description", None)
        if text(found.get("special_to_date")).endswith(MIDNIGHT):
            found["special_to_date"] = found["special_to_date"].removesuffix(MIDNIGHT)
        for name in ("meta_keyword", "meta_keywords"):
            words = [word.strip() for word in text(found.get(name)).split(",") if word.strip()]
            found.setdefault("keywords", words)
            if words and found["keywords"] == words:
                del found[name]
        _set_images(found)
        _set_stock(found)
        return found

    def children(self, record: Record) -> list[str]:
        extension = record.get("extension_attributes")
        links = extension.get("configurable_product_links") if isinstance(extension, dict) else None
        return [text(link) for link in links] if isinstance(links, list) else []

    def nested(self, parent: Record, children: list[Record]) -> Record:
        # A variant is often not visible on its own, so it gets the visibility of its product.
        own = [{**child, "visibility": parent.get("visibility")} for child in children]
        if text(parent.get("status")) == "2":
            own = [{**child, "status": parent["status"]} for child in own]
        shared = of_the_product(self.translated(parent), OF_THE_PARENT)
        return {**shared, "item_group_id": text(parent.get("sku")), "variants": [self.translated(each) for each in own]}


def _set_tier_prices(found: Record) -> None:
    """Sets an empty special price to the lowest tier price that everybody pays for a single piece, if this tier price
    is below the price.

    Other tier prices stay attributes. Those of a group of customers get the name `group_prices`, which is private.
    """
    tiers = objects(found.get("tier_prices"))
    if not tiers:
        return
    own = [tier for tier in tiers if text(tier.get("customer_group_id")) in EVERYBODY]
    found["group_prices"] = [tier for tier in tiers if tier not in own]
    single = [tier for tier in own if _is_for_one_piece(tier)]
    amounts = [amount for tier in single if (amount := _amount(tier.get("value"))) is not None]
    price, lowest = _amount(found.get("price")), min(amounts, default=None)
    if lowest is not None and price is not None and lowest < price and is_empty(found.get("special_price")):
        found["special_price"] = str(lowest)
        own = [tier for tier in own if tier not in single]
    found["tier_prices"] = own


def _is_for_one_piece(tier: Record) -> bool:
    more = tier.get("extension_attributes")
    is_limited = isinstance(more, dict) and any(
        text(more.get(name)) not in ("", "0") for name in ("percentage_value", "website_id")
    )
    quantity = _amount(tier.get("qty"))
    return not is_limited and quantity is not None and quantity <= 1 and _amount(tier.get("value")) is not None


def _amount(value: Any) -> Decimal | None:
    written = text(value)
    return Decimal(written) if re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,20})?", written) else None


def _set_images(found: Record) -> None:
    """Sets the images, whose paths start at media/catalog/product. The base image comes first."""
    entries = objects(found.pop("media_gallery_entries", None))
    shown = [entry for entry in entries if not entry.get("disabled") and text(entry.get("file"))]
    shown.sort(
        key=lambda entry: ("image" not in listed(entry.get("types")), whole_number(text(entry.get("position"))) or 0)
    )
    paths = [text(entry["file"]) for entry in shown]
    named = [path for name in IMAGES if (path := text(found.pop(name, None))) and path != NO_IMAGE]
    found["images"] = [path.lstrip("/") if "://" not in path else path for path in dict.fromkeys([*paths, *named])]
    found["image_alt_text"] = [label for entry in shown if (label := text(entry.get("label")))]
    # The attribute keeps the entries that are not shown, and the videos.
    more = [entry for entry in entries if entry.get("disabled") or text(entry.get("media_type")) not in ("", "image")]
    found["media_gallery_entries"] = more


def _set_stock(found: Record) -> None:
    stock = found.get("stock_item") if isinstance(found.get("stock_item"), dict) else {}
    assert isinstance(stock, dict)
    quantity = text(stock.get("qty"))
    if quantity and whole_number(quantity) is not None:
        found["quantity"] = quantity
    if text(found.get("status")) == "2" or text(found.get("visibility")) == "1":
        found["availability"] = "out_of_stock"
    elif stock.get("manage_stock") is False and stock.get("use_config_manage_stock") is not True:
        found["availability"] = "in_stock" if stock.get("is_in_stock") is not False else "out_of_stock"
    elif stock.get("is_in_stock") is False:
        found["availability"] = "out_of_stock"
    elif quantity and (stock_sign(quantity) or 0) <= 0 and text(stock.get("backorders")) in ("1", "2"):
        found["availability"] = "backorder"
    elif stock.get("is_in_stock") is True:
        found["availability"] = "in_stock"
