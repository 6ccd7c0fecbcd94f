"""Translates products and variations of WooCommerce's REST API (`/wp-json/wc/v3/products`)."""

from collections.abc import Mapping
from typing import Any

from db.catalog.rows.cells import is_empty
from db.catalog.rows.options import whole_number
from loader.sources.api.platform import ApiPlatform, Record, names_in, objects, of_the_product, text

SIGNS = frozenset(("regular_price", "stock_status", "date_on_sale_from", "tax_status", "meta_data", "permalink"))
STOCK = {"instock": "in_stock", "outofstock": "out_of_stock", "onbackorder": "backorder"}
# Members of a variable product that its variations do not inherit
OF_THE_PARENT = (
    "id", "sku", "slug", "type", "price", "regular_price", "sale_price", "price_html", "on_sale", "date_on_sale_from",
    "date_on_sale_from_gmt", "date_on_sale_to", "date_on_sale_to_gmt", "stock_quantity", "stock_status",
    "global_unique_id", "permalink", "date_created", "date_created_gmt", "date_modified", "date_modified_gmt",
    "menu_order", "total_sales", "has_options", "default_attributes",
)  # fmt: skip


class WooCommerce(ApiPlatform):
    is_linked = True

    def recognises(self, record: Mapping[str, Any]) -> bool:
        return "id" in record and len(SIGNS.intersection(record)) >= 3

    def translated(self, record: Record) -> Record:
        found = dict(record)
        found["sku"] = text(found.get("sku")) or text(found.get("id"))
        found["price"], current = found.get("regular_price"), found.pop("price", None)
        if is_empty(found["price"]):
            found["price"] = current  # for a variable product, this is the lowest price of its variations
        elif text(current) not in (text(found["price"]), text(found.get("sale_price"))):
            found["current_price"] = current
        found.pop("regular_price", None)
        if is_empty(found.get("description")):
            found["description"] = found.pop("short_description", None)
        found["brand"] = "/".join(names_in(found.get("brands")))
        found["product_type"] = next(iter(kinds := names_in(found.get("categories"))), "")
        found["product_types"] = kinds if len(kinds) > 1 else []
        found["keywords"] = names_in(found.get("tags"))
        found["gtin"] = text(found.pop("global_unique_id", None))
        if text(found.get("stock_quantity")) and whole_number(text(found["stock_quantity"])) is None:
            found["stock"] = found.pop("stock_quantity")
        if text(found.get("rating_count")) == "0":
            found.pop("average_rating", None)  # WooCommerce writes 0.00 for a product without a rating
        parent = text(found.pop("parent_id", None))
        if parent not in ("", "0"):
            found.setdefault("item_group_id", parent)
        found["availability"] = _availability(found)
        if found.get("on_sale") is False and not is_empty(found.get("date_on_sale_from")):
            del found["on_sale"]  # the sale has not begun, or is over; its dates say when it is on
        found["image_alt_text"] = [alt for image in objects(found.get("images")) if (alt := text(image.get("alt")))]
        return found

    def parent(self, record: Record) -> str:
        return "" if (parent := text(record.get("parent_id"))) == "0" else parent

    def nested(self, parent: Record, children: list[Record]) -> Record:
        of_all = of_the_product(parent, OF_THE_PARENT)
        of_all["item_group_id"] = text(parent.get("sku")) or text(parent.get("id"))
        attributes = objects(of_all.pop("attributes", None))
        of_all.pop("variations", None)
        variants = []
        for child in children:
            own = objects(child.get("attributes"))
            named = {text(attribute.get("name")) for attribute in own}
            variant = {name: value for name, value in child.items() if name != "parent_id"} | {"selected_options": own}
            if text(child.get("status")) in ("", "publish"):
                variant["status"] = parent.get("status")
            for name in ("catalog_visibility", "backorders"):
                if is_empty(child.get(name)):
                    variant[name] = parent.get(name)
            variant["attributes"] = [each for each in attributes if text(each.get("name")) not in named]
            variant = self.translated({name: value for name, value in variant.items() if not is_empty(value)})
            variants.append({name: value for name, value in variant.items() if not is_empty(value)})
        shared = self.translated(of_all)
        for name in ("sku", "price", "availability", "gtin"):
            shared.pop(name, None)
        return {**shared, "variants": variants}


def _availability(record: Record) -> str:
    if text(record.get("status")) not in ("", "publish") or text(record.get("catalog_visibility")) == "hidden":
        return "out_of_stock"
    return STOCK.get(word := text(record.get("stock_status")), word)
