"""Converts the value of a cell, or of a member of a JSON object, to the text, image paths or keywords of a field.

If the field cannot take the value, the functions raise ValueError with the reason.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from db.catalog.offer import PRICES
from db.catalog.prices import number_text
from db.strict_json import is_deep

ALTERNATIVES = ("color", "size", "material")  # several values of one of these fields are joined, as in red/blue
IMAGE_ADDRESS_NAMES = (
    "contentUrl", "url", "src", "link", "path", "url_fullxfull", "url_zoom", "url_standard", "originalSrc",
    "source_url", "image_url", "imageUrl", "large", "file",
)  # fmt: skip
POSITION_NAMES = ("position", "rank", "sort_order", "sortOrder", "sort", "order", "ordering")
MAIN_NAMES = (
    "is_main",
    "isMain",
    "is_primary",
    "isPrimary",
    "is_default",
    "isDefault",
    "is_thumbnail",
    "main",
    "primary",
)
TEXT_NAMES = ("name", "value", "title", "label", "html", "$oid", "$numberInt", "$numberLong")
AMOUNT_NAMES = ("value", "amount", "centAmount", "gross", "current", "price", "$numberDecimal", "$numberDouble")
MICROS = 1_000_000  # micros in a unit of a currency
# A member with one of these names may show that the amount is in the smallest unit of the currency, such as cents.
IN_SMALLEST_UNIT = (
    "divisor", "centAmount", "fractionDigits", "exponent", "scale", "minor_unit", "minorUnit", "currency_minor_unit",
    "precision",
)  # fmt: skip
# These members of IN_SMALLEST_UNIT always hold the number of decimals of the currency. The members `scale` and
# `precision` may also describe an amount in the currency itself.
NUMBERS_OF_DECIMALS = ("minor_unit", "minorUnit", "currency_minor_unit")
NANOS = 1_000_000_000  # nanos in a unit of a currency
_BETWEEN_PATHS = re.compile(r"[|;]")
_SUFFIX = r"\.(?:jpe?g|png|webp|gif|avif|bmp|tiff?|heic)"
_FILE = rf"[^,|;]+{_SUFFIX}"
_FILES = re.compile(rf"{_FILE}(?:\s*,{_FILE})+", re.IGNORECASE)
_BETWEEN_FILES = re.compile(",")
_NEXT_ADDRESS = re.compile(r"[;,\s]+(?=https?://)")
_BETWEEN_ADDRESSES = re.compile(r"\||[;,\s]+(?=[A-Za-z0-9]+://)")
_IMAGE_FILE = re.compile(rf"https?://\S+{_SUFFIX}(?:\?\S*)?", re.IGNORECASE)
_IMG = re.compile(r"""<img\b[^<>]*?\bsrc\s*=\s*(?:"([^"<>]+)"|'([^'<>]+)'|([^"'\s<>]+))""", re.IGNORECASE)


@dataclass(frozen=True)
class FaultyValue:
    """A value that a reader cannot convert, with the reason."""

    reason: str


# What Excel and LibreOffice show in a cell whose formula cannot be computed, in several languages
_ERRORS = frozenset((
    "#N/A", "#NV", "#N/D", "#NB", "#REF!", "#BEZUG!", "#RIF!", "#¡REF!", "#VALUE!", "#WERT!", "#VALEUR!", "#VALORE!",
    "#¡VALOR!", "#WAARDE!", "#NAME?", "#NOM?", "#NOME?", "#¿NOMBRE?", "#NAAM?", "#DIV/0!", "#¡DIV/0!", "#DEEL/0!",
    "#NUM!", "#ZAHL!", "#NOMBRE!", "#¡NUM!", "#GETAL!", "#NULL!", "#NULO!", "#SPILL!", "#GETTING_DATA",
))  # fmt: skip


def spreadsheet_error(cell: Any) -> str | None:
    """Returns the reason why a cell has no value if it is the error of a formula, such as "#N/A". Otherwise, returns
    None."""
    if isinstance(cell, str) and cell.startswith("#") and cell.strip().upper() in _ERRORS:
        return f'"{cell.strip()}" is the error of a formula in a spreadsheet'
    return None


def is_empty(value: Any) -> bool:
    return value == "" if isinstance(value, str) else value is None or value in ([], {})


def one_text(field: str, value: Any) -> str:
    texts = list(_texts(field, value))
    if not texts:
        return ""
    if len(texts) > 1 and field in ALTERNATIVES:
        return "/".join(dict.fromkeys(texts))
    if len(texts) > 1 and field != "product_type":
        raise ValueError(f"{field} has {len(texts)} values; it takes one")
    return texts[0]


def image_paths(value: Any, faults: list[tuple[str, str]] | None = None) -> list[str]:
    """Returns the image paths or addresses in a value. If a member of a list is faulty and `faults` is given, the fault
    is added to `faults`, and the other members are returned. Any other fault raises ValueError.

    A text with paths is split at | and ;, and at commas if each part ends with the suffix of an image. A text with
    addresses is split at | and before each further address. It is not split at each semicolon or comma, because
    addresses may contain these signs. A text with a list or an object of JSON is read as JSON. Of a text with HTML
    elements `img`, the addresses in `src` are read. Behind the address of an image file, `::` begins an alternative
    text.
    """
    if isinstance(value, str):
        if value.startswith(("https://", "http://")) and value.count("://") == 1 and "|" not in value:
            return [_bare(value.strip())]
        if sources := _sources(value):
            return sources
        if value.startswith(("[", "{")) and (members := _parsed(value)) is not None:
            return image_paths(members, faults)
        between = (
            _BETWEEN_ADDRESSES if "://" in value else _BETWEEN_FILES if _FILES.fullmatch(value) else _BETWEEN_PATHS
        )
        return [_bare(found) for part in between.split(value) if (found := part.strip())]
    if isinstance(value, list):
        return [path for member in in_order(value) for path in _paths_of_member(member, faults)]
    if isinstance(value, Mapping):
        address = next((value[name] for name in IMAGE_ADDRESS_NAMES if value.get(name)), None)
        if address is None:
            raise ValueError("an image is an object without an address")
        return image_paths(address)
    if value is None:
        return []
    raise ValueError(f"an image must be a path or an address, not {_kind(value)}")


def _sources(written: str) -> list[str]:
    """Returns the addresses of the HTML elements `img` in a text."""
    found = _IMG.findall(written) if "<" in written else []
    return [html.unescape("".join(source)).strip() for source in found]


def _bare(address: str) -> str:
    """Returns an address without the alternative text that follows it."""
    before, mark, _ = address.partition("::")
    return before if mark and len(before) <= 2000 and _IMAGE_FILE.fullmatch(before) else address


def _parsed(cell: str) -> Any:
    """Returns the list in a text such as '["a.jpg"]' or "['a.jpg']". Returns None for a text that is not a list or an
    object, or that is nested too deeply. The members of an object with numbers as names are a list, because PHP
    writes lists so."""
    for text in (cell, cell.replace("'", '"')):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if is_deep(found, 5):  # a list of images has fewer levels, and each level takes a call
            return None
        return list(found.values()) if isinstance(found, dict) and all(map(str.isdecimal, found)) else found
    return None


def stripped(cell: Any) -> Any:
    return cell.strip() if isinstance(cell, str) else cell


def is_count(cell: Any) -> bool:
    """Returns whether a cell of a column of images has a number, which is the number of images."""
    return type(cell) is int or (isinstance(cell, str) and cell.isdecimal())


def without_order(image: Any) -> Any:
    """Returns an image without the members that `in_order` reads."""
    if not isinstance(image, Mapping):
        return image
    return {name: value for name, value in image.items() if name not in POSITION_NAMES and name not in MAIN_NAMES}


def in_order(members: list[Any]) -> list[Any]:
    """Returns the images in the order that a member such as `position` gives. An image that is marked as the main image
    comes first. Returns the members in their own order if an image has no such member."""
    if len(members) < 2 or not all(isinstance(member, Mapping) for member in members):
        return members
    name = next((name for name in POSITION_NAMES if all(type(member.get(name)) is int for member in members)), None)
    ordered = sorted(members, key=lambda member: member[name]) if name else members
    main = next((name for name in MAIN_NAMES if any(member.get(name) is True for member in members)), None)
    return sorted(ordered, key=lambda member: member.get(main) is not True) if main else ordered


def _paths_of_member(member: Any, faults: list[tuple[str, str]] | None) -> list[str]:
    """Returns the paths in a member of a list of images. A text in a list is not split, except where another address
    begins."""
    if isinstance(member, str):
        if sources := _sources(member):
            return sources
        parts = _NEXT_ADDRESS.split(member) if member.count("://") > 1 else [member]
        return [_bare(found) for part in parts if (found := part.strip())]
    try:
        return image_paths(member)
    except ValueError as error:
        if faults is None:
            raise
        faults.append(("image", str(error)))
        return []


def without_name(ids: list[str]) -> str:
    """Returns the message for product types that are IDs of categories."""
    return f"product_type {', '.join(ids)[:40]} is the ID of a category, and the file does not have the category's name"


def without_ids(cell: Any, faults: list[tuple[str, str]]) -> Any:
    """Returns the product types that are not numbers. A number is the ID of a category, and becomes a fault."""
    members = cell if isinstance(cell, list) else [cell]
    ids = [str(member) for member in members if type(member) is int]
    if not ids:
        return cell
    faults.append(("product_type", without_name(ids)))
    return [member for member in members if type(member) is not int]


def words(value: Any) -> list[str]:
    """Returns keywords from a list or a text. In a text, | and ; separate keywords; a text without | and ; is split at
    commas."""
    if isinstance(value, str):
        parts = re.split(r"[|;]" if re.search(r"[|;]", value) else ",", value)
        return list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    return list(dict.fromkeys(_texts("keywords", value)))


def named_values(members: list[Any]) -> dict[str, list[Any]]:
    """Returns the values of each name in a list such as [{"name": "Color", "options": ["Red"]}], or an empty dict if a
    member has another form."""
    found: dict[str, list[Any]] = {}
    for member in members:
        if not isinstance(member, Mapping) or not isinstance(name := member.get("name"), str) or not name.strip():
            return {}
        values = next((member[key] for key in ("value", "values", "option", "options") if key in member), None)
        values = values if isinstance(values, list) else [values]
        found.setdefault(name.strip(), []).extend(value for value in values if not is_empty(value))
    return {name: values for name, values in found.items() if values}


def _texts(field: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value.strip()
    elif isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, float | Decimal) and field in PRICES:
        yield number_text(value)
    elif isinstance(value, float):
        # A GTIN may be read as 4.0e12, for example.
        yield str(int(value)) if value.is_integer() and abs(value) < 1 << 53 else str(value)
    elif isinstance(value, int | Decimal):
        yield str(value)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(field, member)
    elif isinstance(value, Mapping) and field in PRICES:
        yield _money(field, value)
    elif isinstance(value, Mapping) and (text := next(filter(None, map(value.get, TEXT_NAMES)), None)) is not None:
        yield from _texts(field, text)  # such as {"name": "Acme"} for a brand
    elif isinstance(value, FaultyValue):
        raise ValueError(value.reason)
    elif value is not None:
        members = ", ".join(list(value)[:5])[:60] if isinstance(value, Mapping) else ""
        raise ValueError(f"{field} is {_kind(value)}{members and f' ({members})'}, not a text or a number")


def _money(field: str, value: Mapping[str, Any]) -> str:
    """Returns a price such as "12.50 EUR".

    `value` is like {"value": "12.50", "currency": "EUR"}, {"amountMicros": "12500000", "currencyCode": "EUR"} or
    {"amount": 1250, "divisor": 100, "currency_code": "EUR"}. Raises ValueError if no amount is found, or if the
    currency is not a text. Also raises ValueError if the amount may be in the smallest unit of the currency, and no
    member gives the number of decimals.
    """
    currency = value.get("currency") or value.get("currencyCode") or value.get("currency_code") or ""
    if isinstance(currency, Mapping):
        currency = currency.get("code") or currency.get("iso_code") or ""
    amount = next((value[name] for name in AMOUNT_NAMES if value.get(name) is not None), None)
    if isinstance(amount, Mapping):  # such as {"gross": {"amount": 5, "currency": "EUR"}}
        outer = {name: value[name] for name in IN_SMALLEST_UNIT if name in value}
        inner = {name: each for name, each in amount.items() if each is not None}
        return _money(field, {**outer, "currency": currency, **inner})
    if any(name in value for name in IN_SMALLEST_UNIT) and re.fullmatch(r"\d{1,18}", str(amount)):
        amount = _in_whole_units(field, amount, value)
    if amount is None and isinstance(value.get("units"), str | int):  # such as {"units": 8, "nanos": 990000000}
        amount = _units_and_nanos(value["units"], value.get("nanos"))
    if amount is None and re.fullmatch(r"\d{1,18}", micros := str(value.get("amountMicros"))):
        amount = Decimal(micros) / MICROS
    if not isinstance(amount, str | int | float | Decimal) or not isinstance(currency, str):
        raise ValueError(f'{field} is an object without "value" and "currency"')  # noqa: TRY004 - the value is at fault
    written = number_text(amount) if isinstance(amount, float | Decimal) else amount
    return f"{written} {currency}".strip()


def _in_whole_units(field: str, amount: Any, value: Mapping[str, Any]) -> Decimal:
    divisor = value.get("divisor")
    digits = value.get("fractionDigits") if "centAmount" in value else None
    for name in NUMBERS_OF_DECIMALS:
        digits = value.get(name, digits)
    if type(digits) is int and digits in (0, 2, 3):
        divisor = 10**digits
    if divisor not in (1, 10, 100, 1000):
        raise ValueError(f"{field} is an object whose amount may be in the smallest unit of the currency")
    return Decimal(str(amount)) / int(divisor)


def _units_and_nanos(units: str | int, nanos: Any) -> Decimal | None:
    if not re.fullmatch(r"\d{1,12}", str(units)) or not re.fullmatch(r"\d{1,9}", str(nanos or 0)):
        return None
    return Decimal(str(units)) + Decimal(str(nanos or 0)) / NANOS


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", bool: "true or false", bytes: "bytes"}.get(type(value), "a number")
