"""Reads schema.org products in JSON-LD, which web pages embed. A file has one document, or a document on each line.

A document is a product, a list, or an object whose members in LEADS_ON lead to products. Each variant that a
ProductGroup describes in its member hasVariant becomes a product. If the variant lacks a member of the group, it
inherits the member. The members in OF_THE_GROUP are not inherited.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from db.catalog.product import RawProduct
from db.catalog.rows.cells import image_paths, is_empty, one_text, words
from db.strict_json import parse
from loader.errors import NotACatalog, NothingToLoad
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.json_text import values
from loader.sources.reading.lines import BOM, NOT_UTF8
from loader.sources.reading.offers import offered

MAX_DOCUMENT = 16 << 20  # limit of the bytes of a document, which is parsed in one piece
LEADS_ON = ("@graph", "itemListElement", "item", "mainEntity", "hasVariant")
TEXTS = {  # field: schema.org's names for the field, best first; the first name with a value is read
    "sku": ("sku", "productID", "mpn"),  # a product without these names gets its SKU from `_other_identifier`
    "title": ("name",),
    "description": ("description",),
    "brand": ("brand", "manufacturer"),
    "product_type": ("category",),
    "gtin": ("gtin", "gtin13", "gtin14", "gtin12", "gtin8", "isbn"),
    "mpn": ("mpn",),
    "item_group_id": ("inProductGroupWithID", "productGroupID"),
    "link": ("url",),
    "color": ("color",),
    "size": ("size",),
    "material": ("material",),
    "condition": ("itemCondition",),
    "published_at": ("datePublished", "releaseDate"),
}
FIELD_OF_NAME = {name: field for field, names in reversed(TEXTS.items()) for name in names} | {
    "mpn": "mpn", "image": "image", "offers": "price, currency, availability", "keywords": "attributes.keywords",
    "aggregateRating": "rating, review_count",
}  # fmt: skip
KINDS = {"Product", "ProductModel", "IndividualProduct", "SomeProducts", "ProductGroup", "Book", "Vehicle", "Car"}
# The variants of a group do not inherit these members of the group. The members become attributes such as `parent_mpn`.
KEPT_OF_GROUP = ("sku", "productID", "mpn", "gtin", "gtin13", "gtin14", "gtin12", "gtin8", "isbn")
OF_THE_GROUP = (*KEPT_OF_GROUP, "hasVariant", "variesBy", "@id", "@type")  # all members that are not inherited
OF_AN_OFFER = frozenset(("@type", "price", "lowPrice", "priceCurrency", "availability", "itemCondition"))
OF_A_RATING = frozenset(("@type", "ratingValue", "bestRating", "reviewCount"))
OF_A_GROUP = frozenset(("@type", "@id", "productGroupID"))
DEEPEST = 20  # products that are nested deeper than this many levels are not found


def recognises(head: FileHead) -> bool:
    return head.is_json and (b'"@type"' in head.bytes or b'"@graph"' in head.bytes)


class JsonLdSource:
    name = "jsonld"

    def __init__(self, file: CatalogFile, *, image_root: Path | None) -> None:
        by_line = FileHead(file).is_by_line
        self.path = file.path
        self.image_root = image_root or file.path.absolute().parent
        self.size = file.size
        self.columns: dict[str, str] = {}
        self._file = file
        self._document = None if by_line else _document(file)
        if not by_line and next(products(self._document), None) is None:
            raise NotACatalog(
                f"{file.path.name} is JSON without a schema.org Product in it",
                hint="Write other JSON as one product {...} on each line (jq -c '.[]' FILE > FILE.jsonl).",
            )

    @property
    def done(self) -> int:
        return self._file.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        """Yields the products. In a single document, a product's `line` is its number, counted from 1."""
        if self._document is not None:
            for number, product in enumerate(products(self._document), 1):
                yield self._row(number, product)
            return
        for found in values(self._file):
            if isinstance(found, Reject):
                yield found
                continue
            line, value = found
            of_line = [self._row(line, product) for product in products(value)]
            yield from of_line or [Reject(line, "", "there is no schema.org Product on the line")]

    def _row(self, line: int, product: dict[str, Any]) -> RawProduct | Reject:
        for name in product:
            if name not in self.columns and not name.startswith("@"):
                self.columns[name] = FIELD_OF_NAME.get(name, f"attributes.{name}")
        return row(line, product)


def products(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yields every product in a document. A group with variants yields the variants."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for member in value:
            yield from products(member, depth + 1)
    elif isinstance(value, dict):
        kinds = {str(kind).rpartition("/")[2].rpartition(":")[2] for kind in _list(value.get("@type"))}
        variants = [member for member in _list(value.get("hasVariant")) if isinstance(member, dict) and len(member) > 1]
        if "ProductGroup" in kinds and variants:
            shared = {name: member for name, member in value.items() if name not in OF_THE_GROUP}
            shared |= {f"parent_{name}": value[name] for name in KEPT_OF_GROUP if name in value}
            for variant in variants:
                yield {**shared, **variant}
        elif kinds & KINDS:
            yield value
        else:
            for name in LEADS_ON:
                yield from products(value.get(name), depth + 1)


def row(line: int, product: dict[str, Any]) -> RawProduct | Reject:
    texts: dict[str, str] = {}
    faults: list[tuple[str, str]] = []
    used = {"image", "offers", "keywords", "additionalProperty", "hasVariant", "isVariantOf"}
    try:
        for field, names in TEXTS.items():
            for name in names:
                try:
                    text = one_text(field, _unwrapped(product.get(name)))
                except ValueError as error:
                    if field in ("sku", "title"):
                        raise
                    faults.append((field, str(error)))
                    used.add(name)
                    break
                if text:
                    texts[field] = text
                    used.add(name)
                    break
        try:
            offer = offered(product.get("offers"))
        except ValueError as error:
            offer = offered(None)
            faults.append(("offers", str(error)))
        condition = (texts.get("condition") or offer.condition).rpartition("/")[2].removesuffix("Condition").lower()
        texts |= {"price": offer.price, "currency": offer.currency, "availability": offer.availability}
        texts |= {"compare_at_price": offer.compare_at_price, "quantity": offer.quantity}
        texts |= _rated(product.get("aggregateRating"))
        texts["condition"] = condition
        if not texts.get("sku") and (identifier := _other_identifier(product, texts.get("gtin", ""))):
            texts["sku"] = identifier
        group = product.get("isVariantOf")
        if isinstance(group, dict):
            texts.setdefault(
                "item_group_id", one_text("item_group_id", group.get("productGroupID") or group.get("@id"))
            )
        attributes = {
            name: member
            for name, member in product.items()
            if not name.startswith("@") and name not in used and not is_empty(member)
        }
        if offer.has_more_prices or _has_more(product.get("offers"), OF_AN_OFFER):
            attributes["offers"] = product["offers"]
        if not _has_more(product.get("aggregateRating"), OF_A_RATING) and texts.get("rating"):
            attributes.pop("aggregateRating", None)
        if _has_more(product.get("isVariantOf"), OF_A_GROUP):
            attributes["isVariantOf"] = product["isVariantOf"]
        if isinstance(product.get("category"), list) and len(product["category"]) > 1:
            attributes["product_types"] = product["category"]
        if keywords := words(product.get("keywords") or ""):
            attributes["keywords"] = keywords
        attributes |= _properties(product.get("additionalProperty"))
        images = tuple(map(_absolute, image_paths([*_list(_unwrapped(product.get("image")))], faults)))
        return RawProduct({name: text for name, text in texts.items() if text}, images, None, attributes, line, faults)
    except ValueError as error:
        return Reject(line, texts.get("sku", ""), str(error))


def _rated(value: Any) -> dict[str, str]:
    """Returns the rating, with its scale, and the number of reviews."""
    rated = next((member for member in _list(value) if isinstance(member, dict)), {})
    rating, best = (one_text("rating", _unwrapped(rated.get(name))) for name in ("ratingValue", "bestRating"))
    count = rated.get("reviewCount") or rated.get("ratingCount")
    return {
        "rating": f"{rating}/{best}" if rating and best.isdecimal() else rating,
        "review_count": one_text("review_count", _unwrapped(count)),
    }


def _other_identifier(product: dict[str, Any], gtin: str) -> str:
    """Returns a SKU for a product that names none. It is the first of these that exists: the SKU of the only offer, the
    product's GTIN, the path in the first offer's address, the path in the product's address, the path in its @id."""
    offers = [offer for offer in _list(product.get("offers")) if isinstance(offer, dict)]
    if len(offers) == 1 and (sku := one_text("sku", offers[0].get("sku"))):
        return sku
    if gtin:
        return gtin
    addresses = (*(offer.get("url") for offer in offers[:1]), product.get("url"), product.get("@id"))
    return next((path for address in addresses if (path := _path(_unwrapped(address)))), "")


def _path(address: Any) -> str:
    """Returns "p/lamp" for "https://shop.example/p/lamp#product". Returns the fragment only if the address has neither
    path nor query."""
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        return ""
    if parts is None:
        return ""
    path = parts.path.strip("/") + (f"?{parts.query}" if parts.query else "")
    return path or parts.fragment


def _unwrapped(value: Any) -> Any:
    """Replaces {"@value": "Red bag", "@language": "en"} and {"@id": "https://..."} by the text in them."""
    if isinstance(value, list):
        return [_unwrapped(member) for member in value]
    if isinstance(value, dict):
        if "@value" in value:
            return value["@value"]
        if set(value) <= {"@id", "@type"} and "@id" in value:
            return value["@id"]
    return value


def _has_more(value: Any, names: frozenset[str]) -> bool:
    return any(isinstance(member, dict) and not names.issuperset(member) for member in _list(value))


def _properties(value: Any) -> dict[str, Any]:
    """Returns attributes from additionalProperty, a list of {"@type": "PropertyValue", "name": "Width", "value": 12,
    "unitText": "cm"}. Members without a name or value remain in the attribute additionalProperty."""
    found: dict[str, Any] = {}
    others = []
    for member in _list(value):
        named = member if isinstance(member, dict) else {}
        name = named.get("name") or named.get("propertyID")
        if isinstance(name, str) and named.get("value") is not None:
            content = _unwrapped(named["value"])
            unit = named.get("unitText") or named.get("unitCode")
            content = f"{content} {unit}" if isinstance(unit, str) else content
            found[name] = [*_list(found[name]), content] if name in found else content
        else:
            others.append(member)
    return {**found, "additionalProperty": others} if others else found


def _absolute(path: str) -> str:
    return f"https:{path}" if path.startswith("//") else path


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _document(file: CatalogFile) -> Any:
    with file.opened() as opened:
        raw = opened.read(MAX_DOCUMENT + 1).removeprefix(BOM)
    if len(raw) > MAX_DOCUMENT:
        raise NotACatalog(
            f"{file.path.name} is one JSON document of more than {MAX_DOCUMENT >> 20} MiB",
            hint="Write JSON Lines, one product on a line (jq -c '.[]' FILE > FILE.jsonl), which may have any size.",
        )
    if not raw.strip():
        raise NothingToLoad(f"{file.path.name} is empty", hint="It needs a schema.org Product.")
    try:
        return parse(raw.decode())
    except UnicodeDecodeError as error:
        byte = f"byte 0x{raw[error.start]:02X} at position {error.start + 1}"
        raise NotACatalog(f"{file.path.name} is {NOT_UTF8.format(byte)}") from None
    except ValueError as error:
        raise NotACatalog(f"{file.path.name} is {error}") from None
