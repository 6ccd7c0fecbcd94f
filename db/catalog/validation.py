"""What is written about a product becomes a `Product` that every constraint of the database takes, or a list of all its
faults. The loader's files and `PUT /products` go by the same rules.

Spelling is mended where only one thing can be meant: white space, letter case, availability words, decimal commas.
Values are never guessed at, cut or dropped. The one exception is a malformed picture hash: the encoder makes its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.catalog import values
from db.catalog.image_paths import AddressesOnly, ImageRoot
from db.catalog.product import COLUMNS, Image, Product

MAX_IMAGES = 100
SHORT, LONG = 500, 100_000  # product_type is in a B-tree index, whose entries end at 2.7 kB
MAX_LENGTHS = dict.fromkeys(COLUMNS, SHORT) | {
    "sku": 200, "title": 2000, "description": LONG, "link": 2000, "image_link": 2000,
}  # fmt: skip

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Written:
    """A product as texts, by the names of `db.catalog.product.COLUMNS`; pictures as paths or addresses."""

    fields: Mapping[str, str]
    attributes: Mapping[str, Any]
    images: Sequence[str] = ()
    image_phash: str | None = None  # of the first picture, 16 hexadecimal digits


@dataclass(frozen=True, slots=True)
class Checked:
    product: Product
    missing_files: int  # pictures that are not on this disk
    dropped_hash: bool


def check(written: Written, root: ImageRoot | None) -> Checked | list[str]:
    """The product, or what is wrong with it. Without a root, pictures are addresses."""
    faults: list[str] = []
    texts: dict[str, Any] = {}
    readable = _is_text("".join(written.fields.values()))  # nearly always, so it is asked once a row
    for name, cell in written.fields.items():
        if (not readable or len(cell) > MAX_LENGTHS[name]) and (fault := _fault(name, cell, MAX_LENGTHS[name])):
            faults.append(fault)
        else:
            texts[name] = cell.strip() or None
    attributes = list(_texts(written.attributes))
    if not _is_text("".join(attributes)) or max(map(len, attributes), default=0) > LONG:
        faults += [fault for text in attributes if (fault := _fault("attribute", text, LONG))]
    _need(written, texts, faults)
    _read_values(texts, faults)
    images, missing_files = _read_images(written, root, faults)
    if faults:
        return faults

    dropped_hash = False
    if written.image_phash and images:
        try:
            images[0] = Image(images[0].uri, values.phash(written.image_phash))
        except ValueError:
            dropped_hash = True
    if images and "://" in images[0].uri:
        texts.setdefault("image_link", images[0].uri)
    product = Product(**texts, attributes=written.attributes, images=tuple(images))
    return Checked(product, missing_files, dropped_hash)


def _need(written: Written, texts: dict[str, Any], faults: list[str]) -> None:
    for name in ("sku", "title"):
        if not written.fields.get(name, "").strip():
            faults.append(f"{name} is empty")
    if texts.get("sku") and _CONTROL.search(texts["sku"]):
        faults.append("sku has a control character")
    if texts.get("title"):
        texts["title"] = " ".join(texts["title"].split())


def _read_values(texts: dict[str, Any], faults: list[str]) -> None:
    in_price = None
    for name, read in (("price", values.price), ("currency", values.currency), ("availability", values.availability)):
        if texts.get(name):
            try:
                texts[name] = read(texts[name])
            except ValueError as error:
                faults.append(str(error))
                texts[name] = None
    if texts.get("price") is not None:
        texts["price"], in_price = texts["price"]
    if in_price and texts.get("currency") not in (None, in_price):
        faults.append(f"price is in {in_price}, currency is {texts['currency']}")
    elif in_price:
        texts["currency"] = in_price


def _read_images(written: Written, root: ImageRoot | None, faults: list[str]) -> tuple[list[Image], int]:
    images: dict[str, Image] = {}  # a picture that is named twice is one picture
    missing = 0
    for path in written.images:
        if not _is_text(path):
            faults.append("a picture's path has a NUL character or is not UTF-8")
            continue
        try:
            uri, exists = (root or AddressesOnly()).uri(path)
        except ValueError as error:
            faults.append(str(error))
            continue
        missing += uri not in images and not exists
        images.setdefault(uri, Image(uri))
    if len(images) > MAX_IMAGES:
        faults.append(f"{len(images)} pictures; a product has at most {MAX_IMAGES}")
    return list(images.values()), missing


def _fault(name: str, text: str, longest: int) -> str | None:
    if not _is_text(text):
        return f"{name} has a NUL character" if "\x00" in text else f"{name} is not UTF-8"
    if len(text.strip()) > longest:
        return f"{name} is {len(text.strip()):,} characters long; at most {longest:,}"
    return None


def _is_text(text: str) -> bool:
    """Lone surrogates are how Python holds bytes that are not UTF-8."""
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
    """Every text in an attribute, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield key
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)
