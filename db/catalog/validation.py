"""Turns a `RawProduct` into a `Product` that meets every constraint of the database, or lists all faults of the row.

The loader's files and `PUT /products` follow the same rules. Spelling is corrected where it has only one meaning:
white space, letter case, availability words, decimal commas. Values are never guessed, cut or dropped. The one
exception is a malformed image hash, which is dropped, because the encoder computes the hash again.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from db.catalog import prices, values
from db.catalog.image_paths import AddressesOnly, ImageRoot
from db.catalog.product import COLUMNS, Image, Product, RawProduct, ValidatedProduct

MAX_IMAGES = 100
SHORT, LONG = 500, 100_000  # characters
# product_type has the limit SHORT, because an entry of its B-tree index holds at most 2.7 kB.
MAX_LENGTHS = dict.fromkeys(COLUMNS, SHORT) | {
    "sku": 200, "title": 2000, "description": LONG, "link": 2000, "image_link": 2000,
}  # fmt: skip

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def validate(raw: RawProduct, root: ImageRoot | None) -> ValidatedProduct | list[str]:
    """Return the product, or the list of its faults. Without a root, every image must be an address."""
    faults: list[str] = []
    texts: dict[str, Any] = {}
    # One test covers all cells of the row, because nearly every row passes and a test per cell takes longer.
    all_text = _is_text("".join(raw.fields.values()))
    for name, cell in raw.fields.items():
        if (not all_text or len(cell) > MAX_LENGTHS[name]) and (fault := _fault(name, cell, MAX_LENGTHS[name])):
            faults.append(fault)
        else:
            texts[name] = cell.strip() or None
    attributes = list(_texts(raw.attributes))
    if not _is_text("".join(attributes)) or max(map(len, attributes), default=0) > LONG:
        faults += [fault for text in attributes if (fault := _fault("attribute", text, LONG))]
    _require_sku_and_title(raw, texts, faults)
    _read_values(texts, faults)
    images, missing_files = _read_images(raw, root, faults)
    if faults:
        return faults

    dropped_hash = False
    if raw.image_phash and images:
        try:
            images[0] = Image(images[0].uri, values.phash(raw.image_phash))
        except ValueError:
            dropped_hash = True
    if images and "://" in images[0].uri:
        texts.setdefault("image_link", images[0].uri)
    product = Product(**texts, attributes=raw.attributes, images=tuple(images))
    return ValidatedProduct(product, missing_files, dropped_hash, raw.line)


def _require_sku_and_title(raw: RawProduct, texts: dict[str, Any], faults: list[str]) -> None:
    for name in ("sku", "title"):
        if not raw.fields.get(name, "").strip():
            faults.append(f"{name} is empty")
    if texts.get("sku") and _CONTROL.search(texts["sku"]):
        faults.append("sku has a control character")
    if texts.get("title"):
        texts["title"] = " ".join(texts["title"].split())


def _read_values(texts: dict[str, Any], faults: list[str]) -> None:
    for name, read in (("currency", values.currency), ("availability", values.availability)):
        if texts.get(name):
            try:
                texts[name] = read(texts[name])
            except ValueError as error:
                faults.append(str(error))
                texts[name] = None
    in_price = None
    if texts.get("price"):
        try:
            texts["price"], in_price = prices.price(texts["price"], texts.get("currency"))
        except ValueError as error:
            faults.append(str(error))
            texts["price"] = None
    if in_price and texts.get("currency") not in (None, in_price):
        faults.append(f"price is in {in_price}, currency is {texts['currency']}")
    elif in_price:
        texts["currency"] = in_price


def _read_images(raw: RawProduct, root: ImageRoot | None, faults: list[str]) -> tuple[list[Image], int]:
    """Return the images, and how many image files are not on this disk. An image that is named twice counts once."""
    images: dict[str, Image] = {}
    missing = 0
    for path in raw.images:
        if not _is_text(path):
            faults.append("an image path has a NUL character or is not UTF-8")
            continue
        try:
            uri, exists = (root or AddressesOnly()).uri(path)
        except ValueError as error:
            faults.append(str(error))
            continue
        missing += uri not in images and not exists
        images.setdefault(uri, Image(uri))
    if len(images) > MAX_IMAGES:
        faults.append(f"{len(images)} images; a product has at most {MAX_IMAGES}")
    return list(images.values()), missing


def _fault(name: str, text: str, longest: int) -> str | None:
    if not _is_text(text):
        return f"{name} has a NUL character" if "\x00" in text else f"{name} is not UTF-8"
    if len(text.strip()) > longest:
        return f"{name} is {len(text.strip()):,} characters long; at most {longest:,}"
    return None


def _is_text(text: str) -> bool:
    """Return whether PostgreSQL can store the text.

    PostgreSQL cannot store a NUL character or a lone surrogate, which stands for a byte that is not UTF-8.
    """
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in an attribute, including keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield key
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)
