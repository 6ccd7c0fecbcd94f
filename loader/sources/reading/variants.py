"""Splits a JSON object with a list of variants, as in Shopify's products.json, into an object for each variant.

The format is that of Shopify's, Medusa's and BigCommerce's APIs, and of custom shops that write similar JSON.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from db.catalog.names import normalised
from db.catalog.rows.cells import in_order, is_empty, without_order
from db.catalog.rows.options import field_of_option, is_false, is_true, stock_sign
from loader.sources.reading.columns import FieldColumns
from loader.sources.reading.names.usual import USUAL_NAMES

LISTS = ("variants", "variations", "skus")
IDENTIFIERS = ("sku", "id", "variant_id", "barcode")
GROUPS = ("item_group_id", "handle", "slug", "sku", "id")
IMAGES = ("variant_image", *USUAL_NAMES["image"])
# The members of a variant that hold its options, as [{"name": "Size", "value": "S"}] or {"Size": "S"}
OPTIONS = ("selected_options", "option_values", "options", "attributes")
LABELS = ("name", "title", "option_display_name", "attribute", "key")
VALUES = ("value", "label", "option", "values")
# Members that identify one variant. If a product with several variants has such a member, no variant inherits it.
OF_THE_PRODUCT = ("sku", "gtin", "ean", "upc", "isbn", "barcode", "mpn")
QUANTITIES = ("inventory_quantity", "inventory_level", "quantity_available", "available_quantity")
TRACKERS = ("inventory_management", "manage_inventory", "inventory_tracking")
NOT_TRACKED = (None, False, "", "none")
NOT_SOLD = ("draft", "archived", "proposed", "rejected", "private", "trash")
DEFAULT = "Default Title"  # Shopify's name of the only variant of a product without options

Record = dict[str, Any]


class NestedVariants:
    """Splits the objects of one file. `names` are the names of the members of these objects. A list of variants is not
    split if `mapping` names the list or a column inside it."""

    def __init__(self, names: Iterable[str], mapping: FieldColumns) -> None:
        mapped = {normalised(column.partition(".")[0]) for columns in mapping.values() for column in columns}
        lists = {normalised(name): name for name in names}
        self._list = next((lists[name] for name in LISTS if name in lists and name not in mapped), None)

    def split(self, record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Returns an object for each variant. Returns only the given object if it has no variants, if a variant has no
        identifier, or if two members of the object have the same normalised name."""
        variants = [_normalised(variant) for variant in _members(record.get(self._list))] if self._list else []
        if not variants or not all(map(_identifier, variants)):
            return [record]
        product = _normalised({name: value for name, value in record.items() if name != self._list})
        if len(product) < len(record) - 1:
            return [record]  # the load rejects a record in which two members have the same normalised name
        return _Product(product, variants).records()


class _Product:
    def __init__(self, product: Record, variants: list[Record]) -> None:
        self._variants = variants
        self._several = len(variants) > 1
        self._skus = Counter(_text(variant.get("sku")) for variant in variants)
        self._group = next((text for name in GROUPS if (text := _text(product.get(name)))), "")
        self._title = next((name for name in USUAL_NAMES["title"] if product.get(name)), "title")
        self._labels = [_label(option) for option in _listed(product.get("options"))]
        self._in_cents = "price_varies" in product  # only Shopify's product.js has this member
        if any(self._labels):
            del product["options"]
        for name in OF_THE_PRODUCT if self._several else ():
            if name in product:
                product[f"product_{name}"] = product.pop(name)
        self._images = [image for name in IMAGES for image in in_order(_listed(product.pop(name, None)))]
        self._product = product

    def records(self) -> list[Record]:
        return [self._record(variant) for variant in self._variants]

    def _record(self, variant: Record) -> Record:
        identifier, sku = _identifier(variant), _text(variant.get("sku"))
        options = self._options(variant)
        shown = [*options.values()] or [_text(value) for name, value in variant.items() if field_of_option(name)]
        names = self._names(variant, " / ".join(filter(None, shown)))
        images = self._images_of(variant)
        said = any(variant.get(name) for name in USUAL_NAMES["availability"])
        record = self._merged(variant) | names | images
        if not sku or self._skus[sku] > 1:
            made = "/".join((self._group, *shown)) if shown and self._several else ""
            record |= {"sku": made or (identifier if self._several else self._group), "variant_sku": sku}
        if self._several:
            record.setdefault("item_group_id", self._group)
        if not said:
            _set_availability(record)
        for name, value in options.items():
            key = normalised(name)
            record["option_" * (key in record) + key] = value
            if (field := field_of_option(name)) and is_empty(record.get(field)):
                record[field] = value
        return {name: value for name, value in record.items() if not is_empty(value)}

    def _names(self, variant: Record, shown: str) -> Record:
        """Removes the titles from `variant`. Returns the title of the record and its variant_title. If a title of the
        variant contains the product's title, the record gets this title of the variant. Otherwise, the record gets the
        product's title. If the product has several variants, the options of the variant follow the product's title. If
        the variant has no options, its titles follow. Titles of the variant that are not used become variant_title."""
        title = _text(self._product.get(self._title))
        written = [variant.pop(name, None) for name in ("title", "name")]
        odd = [name for name in written if not is_empty(name) and not _text(name)]
        own = {_text(name) for name in written} - {"", DEFAULT, title, shown}
        whole = next((name for name in sorted(own) if title and title in name), "")
        if not whole:
            parts = (title, shown or " / ".join(sorted(own))) if self._several else (title,)
            whole = " - ".join(filter(None, parts))
        rest = sorted(own - {whole}) if shown or not self._several else []
        return {self._title: whole, "variant_title": [*rest, *odd] if odd else " / ".join(rest)}

    def _merged(self, variant: Record) -> Record:
        """Returns the members of product and variant. If both have a member and the values differ, the member of
        the product is returned under the name `product_...`."""
        own = {name: value for name, value in variant.items() if not is_empty(value)}
        both = {
            f"product_{name}": self._product[name] for name in own if self._product.get(name, own[name]) != own[name]
        }
        record = {**self._product, **both, **own}
        calculated = record.get("calculated_price")  # Medusa's price for the region of the request
        if isinstance(calculated, Mapping) and is_empty(record.get("price")):
            record["price"] = {
                "value": calculated.get("calculated_amount"),
                "currency": calculated.get("currency_code"),
            }
        if self._in_cents:
            prices = [name for name, value in record.items() if "price" in name and type(value) is int]
            record |= {name: Decimal(record[name]) / 100 for name in prices}
        return record

    def _options(self, variant: Record) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, label in enumerate(self._labels, 1):
            if value := _text(variant.get(f"option{number}")):
                found[label or f"option{number}"] = value
                del variant[f"option{number}"]
        for name in OPTIONS:
            pairs = _pairs(variant.get(name), self._labels)
            if pairs:
                found = {**pairs, **found}
                del variant[name]
        return {label: value for label, value in found.items() if value != DEFAULT}

    def _images_of(self, variant: Record) -> Record:
        """Removes the images from `variant`. Returns the member `images`, with the images of the variant before the
        other images of the product, and the member `image_alt_text` if an image has an alternative text."""
        own = [image for name in IMAGES for image in in_order(_listed(variant.pop(name, None)))]
        identifiers = {_text(variant.get("id"))} - {""}
        image_id = _text(variant.get("image_id"))
        for image in self._images:
            if isinstance(image, Mapping) and (
                identifiers.intersection(map(_text, _listed(image.get("variant_ids"))))
                or (image_id and _text(image.get("id")) == image_id)
            ):
                own.append(image)
        images = [*own, *self._images]
        texts = [_alternative_text(image) for image in images if isinstance(image, Mapping)]
        distinct = [image for index, image in enumerate(images) if image not in images[:index]]
        found: Record = {"images": list(map(without_order, distinct))}
        if any(texts):
            found["image_alt_text"] = list(dict.fromkeys(filter(None, texts)))
        return found


def _normalised(value: Mapping[str, Any]) -> Record:
    return {normalised(name): member for name, member in value.items()}


def _members(value: Any) -> list[Mapping[str, Any]]:
    """Returns the objects in a list. The list may be written as GraphQL's edges and nodes. Returns no object if a
    member is not an object."""
    members = _listed(value)
    return members if all(isinstance(member, Mapping) for member in members) else []


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Mapping) and isinstance(value.get("nodes"), list):
        return list(value["nodes"])
    if isinstance(value, Mapping) and isinstance(value.get("edges"), list):
        return [edge.get("node") for edge in value["edges"] if isinstance(edge, Mapping)]
    return value if isinstance(value, list) else [] if is_empty(value) else [value]


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""


def _identifier(variant: Record) -> str:
    return next((text for name in IDENTIFIERS if (text := _text(variant.get(name)))), "")


def _label(option: Any) -> str:
    if isinstance(option, Mapping):
        return next((text for name in LABELS if (text := _text(option.get(name)))), "")
    return _text(option)


def _pairs(value: Any, labels: Sequence[str]) -> dict[str, str]:
    """Returns the options in [{"name": "Size", "value": "S"}], [{"value": "S", "option": {"title": "Size"}}] or
    {"Size": "S"}. In a list of bare values, such as ["S"], the n-th value belongs to the n-th of `labels`."""
    if isinstance(value, Mapping):
        texts = {name: _text(member) for name, member in value.items()}
        return texts if all(texts.values()) else {}
    found: dict[str, str] = {}
    for index, member in enumerate(_listed(value)):
        if isinstance(member, Mapping):
            label = _label(member.get("option")) if isinstance(member.get("option"), Mapping) else _label(member)
            text = next((text for name in VALUES if (text := _text(member.get(name)))), "")
        else:
            label, text = labels[index] if index < len(labels) else "", _text(member)
        if not label or not text:
            return {}
        found[label] = text
    return found


def _alternative_text(image: Mapping[str, Any]) -> str:
    return next((text for name in ("alt", "altText", "alt_text") if (text := _text(image.get(name)))), "")


def _set_availability(record: Record) -> None:
    """Computes the availability from the members of the product and the variant, such as the quantity, the status and
    the publication. A computed availability other than "in stock" replaces a stated availability, which is kept under
    the name `product_...`. In all other cases, a stated availability stays."""
    found = _availability(record)
    written = next((name for name in USUAL_NAMES["availability"] if not is_empty(record.get(name))), "")
    if written and found not in ("", "in_stock"):
        record[f"product_{written}"] = record.pop(written)
    if not written or found not in ("", "in_stock"):
        record["availability"] = found


def _availability(record: Record) -> str:
    """Returns the availability. The quantity counts only if the shop tracks it."""
    is_hidden = record.get("is_visible") is False or record.get("purchasing_disabled") is True
    is_unpublished = "published_at" in record and record["published_at"] is None
    if is_hidden or is_unpublished or _text(record.get("status")).lower() in NOT_SOLD:
        return "out_of_stock"
    quantity = stock_sign(_text(next((record[name] for name in QUANTITIES if name in record), None)))
    item = record.get("inventory_item")
    is_tracked = not (isinstance(item, Mapping) and item.get("tracked") is False)
    if quantity is not None and is_tracked and all(record.get(name, True) not in NOT_TRACKED for name in TRACKERS):
        policy = _text(record.get("inventory_policy")).lower()
        may_backorder = policy == "continue" or record.get("allow_backorder") is True
        return "in_stock" if quantity > 0 else "backorder" if may_backorder else "out_of_stock"
    for name in ("available", "available_for_sale"):
        said = str(record.get(name, "")).lower()
        if is_true(said) or is_false(said):
            return "in_stock" if is_true(said) else "out_of_stock"
    never_sells_out = not is_tracked or any(record.get(name) in (False, "none") for name in TRACKERS)
    return "in_stock" if quantity is not None or never_sells_out else ""
