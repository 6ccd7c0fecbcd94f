"""Turns a `RawProduct` into a `Product` that meets the constraints of the database, or lists all faults of the row.

The loader and `PUT /products` validate by the same rules. A spelling that can have only one meaning is corrected, for
example white space, letter case, availability words and decimal commas. HTML becomes plain text. Values are never
guessed, and texts are never cut. A malformed image hash is dropped, because the encoder computes the hash again. A
wrong GTIN is also dropped.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from db.catalog import values
from db.catalog.image_paths import AddressesOnly, ImageRoot
from db.catalog.offer import FIELDS as OFFER_FIELDS
from db.catalog.offer import Fault, read_offer, read_price
from db.catalog.plain_text import has_html, plain_line, plain_members, plain_text
from db.catalog.product import COLUMNS, SALE_DATES, Image, Product, RawProduct, ValidatedProduct
from db.strict_json import is_deep

MAX_IMAGES = 100
SHORT, LONG = 500, 100_000  # characters
# product_type has the limit SHORT, because an entry of its B-tree index holds at most 2.7 kB.
MAX_LENGTHS = dict.fromkeys((*COLUMNS, SALE_DATES), SHORT) | {
    "sku": 200, "title": 2000, "description": LONG, "link": 2000, "image_link": 2000,
}  # fmt: skip

ADDRESSES = ("link", "image_link")
IDENTIFIERS = ("sku", "gtin", "mpn", "item_group_id")
REQUIRED = ("sku", "title")  # a fault in one of these fields always rejects the product

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHORTENED = re.compile(r"[1-9][.,][0-9]+E\+[0-9]{1,3}")  # a long number as a spreadsheet shows it
# The field, the function that reads it, and whether a value that cannot be read is a fault instead of a warning.
_READERS = (
    ("currency", values.currency, True),
    ("availability", values.availability, True),
    ("gtin", values.gtin, False),
    ("link", values.address, True),
    ("image_link", values.address, True),
)
MAX_DEPTH = 20  # levels of objects and lists in the attributes; the constraint product_depth_check has the same limit


def validate(
    raw: RawProduct, root: ImageRoot | AddressesOnly | None, *, strict: bool = True
) -> ValidatedProduct | list[str]:
    """Return the product, or the list of its faults. If `root` is None, every image must be an address.

    Unless `strict`, only a fault in SKU or title rejects the product. Any other faulty value is dropped with a warning.
    """
    faults: list[Fault] = list(raw.faults)
    warnings: list[Fault] = list(raw.warnings)
    texts: dict[str, Any] = {}
    attributes = raw.attributes
    fields = raw.fields
    # One test covers all cells of the row, because nearly every row passes, and a test for each cell takes longer.
    joined = "".join(fields.values())
    all_text = _is_text(joined)
    if all_text and has_html(joined):
        fields = {name: _plain(name, cell) for name, cell in fields.items()}
    for name, cell in fields.items():
        if (not all_text or len(cell) > MAX_LENGTHS[name]) and (fault := _fault(name, cell, MAX_LENGTHS[name])):
            faults.append((name, fault))
        else:
            texts[name] = cell.strip() or None
    if all(type(value) is str for value in attributes.values()):
        in_attributes = [*attributes, *attributes.values()]
    else:
        attributes = _flat_attributes(attributes, faults)
        in_attributes = list(_texts(attributes))
    joined = "".join(in_attributes)
    if has_html(joined):
        attributes = plain_members(attributes)
    if not _is_text(joined) or max(map(len, in_attributes), default=0) > LONG:
        attributes = _valid_attributes(attributes, faults)
    _require_sku_and_title(fields, texts, faults)
    _read_values(texts, faults, warnings)
    images, missing_files = _read_images(raw, root, faults)
    if faults and (strict or any(name in REQUIRED for name, _ in faults)):
        return [fault for _, fault in faults]

    dropped_hash = False
    if raw.image_phash and images:
        try:
            images[0] = Image(images[0].uri, values.phash(raw.image_phash), images[0].file_version)
        except ValueError:
            dropped_hash = True
    if images and "://" in images[0].uri:
        texts.setdefault("image_link", images[0].uri)
    elif not images and texts.get("image_link"):  # the product has no other image than image_link
        images, missing_files = _read_images(replace(raw, images=[texts["image_link"]]), root, [])
    product = Product(**texts, attributes=attributes, images=tuple(images))
    return ValidatedProduct(product, missing_files, dropped_hash, raw.line, (*faults, *warnings))


def _flat_attributes(attributes: Mapping[str, Any], faults: list[Fault]) -> Mapping[str, Any]:
    """Return the attributes that are not nested too deeply, and add a fault for each other attribute to `faults`."""
    deep = [name for name, value in attributes.items() if is_deep(value, MAX_DEPTH - 1)]
    faults += [("attributes", f"attribute {name[:40]} is nested deeper than {MAX_DEPTH} levels") for name in deep]
    return {name: value for name, value in attributes.items() if name not in deep} if deep else attributes


def _valid_attributes(attributes: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """Return the attributes that can be stored, and add the faults of the other attributes to `faults`."""
    good = {}
    for name, value in attributes.items():
        found = [fault for text in _texts({name: value}) if (fault := _fault("attribute", text, LONG))]
        faults += [("attributes", fault) for fault in found]
        if not found:
            good[name] = value
    return good


def _plain(name: str, cell: str) -> str:
    """Return a cell without HTML. In an address, only the entity &amp; is replaced. An identifier, such as the SKU, is
    returned unchanged."""
    if name in ADDRESSES:
        return cell.replace("&amp;", "&")
    if name in IDENTIFIERS or not has_html(cell):
        return cell
    return plain_text(cell) if name == "description" else plain_line(cell)


def _require_sku_and_title(fields: Mapping[str, str], texts: dict[str, Any], faults: list[Fault]) -> None:
    for name in REQUIRED:
        if not fields.get(name, "").strip():
            faults.append((name, f"{name} is empty"))
    if texts.get("sku") and _CONTROL.search(texts["sku"]):
        faults.append(("sku", "sku has a control character"))
    if texts.get("title"):
        texts["title"] = " ".join(texts["title"].split())


def _read_values(texts: dict[str, Any], faults: list[Fault], warnings: list[Fault]) -> None:
    for name, read, is_fault in _READERS:
        if cell := texts.get(name):
            try:
                texts[name] = read(cell)
            except ValueError as error:
                fault = str(error)
                if name in ADDRESSES:
                    fault = f"{name}{fault.removeprefix('address')}"
                (faults if is_fault else warnings).append((name, fault))
                texts[name] = None
    if (sku := texts.get("sku")) and _SHORTENED.fullmatch(sku):
        warnings.append(("sku", f'sku "{sku}" is a number that a spreadsheet has shortened; format the column as text'))
    written_price = texts.get("price")
    read_price("price", texts, faults, warnings)
    if not OFFER_FIELDS.isdisjoint(texts):
        read_offer(texts, faults, warnings, written_price=written_price)


def _read_images(
    raw: RawProduct, root: ImageRoot | AddressesOnly | None, faults: list[Fault]
) -> tuple[list[Image], int]:
    """Return the images and the number of image files that are not on this disk. Repeated images count once."""
    images: dict[str, Image] = {}
    missing = 0
    root_or_addresses = root or AddressesOnly()
    for path in raw.images:
        if not _is_text(path):
            faults.append(("image", "an image path has a NUL character or is not UTF-8"))
            continue
        try:
            written = path.replace("&amp;", "&") if "&amp;" in path and "://" in path else path
            uri, version = root_or_addresses.uri(written)
        except ValueError as error:
            faults.append(("image", str(error)))
            continue
        if uri not in images:
            missing += version is None
            images[uri] = Image(uri, None, version or None)
    if len(images) > MAX_IMAGES:
        faults.append(("image", f"{len(images)} images; a product has at most {MAX_IMAGES}"))
    return list(images.values())[:MAX_IMAGES], missing


def _fault(name: str, text: str, longest: int) -> str | None:
    if not _is_text(text):
        return f"{name} has a NUL character" if "\x00" in text else f"{name} is not UTF-8"
    if len(text.strip()) > longest:
        return f"{name} is {len(text.strip()):,} characters long; at most {longest:,} are allowed"
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
