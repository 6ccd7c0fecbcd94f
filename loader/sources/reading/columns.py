"""Assigns the columns of a table to fields, by the usual names of the columns or by `--map`."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from db.catalog.names import normalised
from db.catalog.offer import DATES_OF_SALE, PRICES
from db.catalog.rows.cells import is_empty, stripped
from db.catalog.rows.columns import IMAGE_IF_NONE, NEEDED, Columns
from db.catalog.rows.discounts import says_discount
from db.errors import SettingsError
from loader.errors import MissingColumns, NotACatalog
from loader.sources.reading.currency_names import split_currency
from loader.sources.reading.names.grouped import category_levels, pairs
from loader.sources.reading.names.parts import without_locale, without_product
from loader.sources.reading.names.usual import USUAL_NAMES
from loader.sources.reading.sale_names import date_of_sale
from loader.sources.reading.translated_names import english

FieldColumns = Mapping[str, Sequence[str]]  # the columns of each field, as `--map` gives them, best first

_KNOWN = frozenset(name for names in USUAL_NAMES.values() for name in names)
_PRICES = frozenset(name for field in PRICES for name in USUAL_NAMES[field])
_JOINED = {name.replace("_", ""): name for name in _KNOWN if "_" in name}  # such as "imageurl" for "image_url"
# The names that may have the code of a language, as in "name-en_US". In "size_de", the code is that of a country.
_IN_LANGUAGES = {
    name: field for field in ("title", "description", "product_type", "link") for name in USUAL_NAMES[field]
}
# These names mean their field less well than a name with a language does.
_WORSE = frozenset(("type", "department", "short_description"))
# Behind "product_", these names do not mean the same: a GTIN of a product may belong to all of its variants, and
# "item_type" is no category.
_NOT_OF_PRODUCT = frozenset(
    (
        *(name for field in ("sku", "gtin", "mpn", "item_group_id") for name in USUAL_NAMES[field]),
        "type",
        "handle",
        "condition",
    )
)
# Columns with one image of a product, and columns with all. If a table has both, the one image comes first. The field
# image_link is not such a column: beside `images`, it has the address that the shop gives, as in a request of REST.
_ONE_IMAGE = frozenset((
    "image", "image_url", "image_src", "main_image", "featured_image", "main_image_url",
    "main_image_link", "cover_image", "cover_media_url", "picture", "photo", "picture_url", "photo_url", "hero_image",
    "primary_image", "large_image", "big_image",
))  # fmt: skip
_ALL_IMAGES = frozenset(("images", "image_urls", "pictures", "photos", "product_images", "photo_urls"))
# Names and paths of files may be texts for people. The field image_link has a rule of its own.
_NO_SUBSTITUTE = ("image_path", "image_file", "filename", "image_name", "image_link")
# Fields that several columns can provide. Each row uses the first of these columns in which it has a value. A price
# is provided only by columns that mean the same name in USUAL_NAMES, such as "Price EUR" and "Price USD", because a
# column with another name, such as "Retail price", may have another price. The other fields are provided by all columns
# with a usual name of the field.
_OF_SEVERAL_COLUMNS = ("currency", *PRICES, "gtin", "product_type", *DATES_OF_SALE)
_IMAGES = frozenset((*USUAL_NAMES["image"], *USUAL_NAMES["additional_image"]))
# A star marks a column that a template needs. eBay writes prefixes such as "C:" and "Product:".
_SIGNS = re.compile(r"^\*_?(?:c:)?|^(?:c|p|product):|_?[*?:]$", re.IGNORECASE)
_CURRENCY_OF_EBAY = re.compile(r"Action\([^()]*\bCurrency=([A-Z]{3})\b")
_NUMBERED = re.compile(r"(.*[^0-9_])_?[0-9]{1,2}(_?(?:url|link|src|path|file))?")


def usual_name(name: str) -> str:
    """Returns the name in USUAL_NAMES that the name of a column means, such as "title" for "*Title" or "Titel", and
    "price" for "Price (EUR)". Returns the normalised name if it means none of them."""
    bare = _SIGNS.sub("", normalised(name))
    if bare in _KNOWN or (bare := english(bare)) in _KNOWN:
        return bare
    if found := _JOINED.get(bare.replace("_", "")):
        return found
    if (rest := english(_split(name)[0])) in _PRICES:
        return rest
    if meant := _in_language(name):
        return meant
    rest = without_product(bare) or ""
    rest = _JOINED.get(rest, rest)
    return rest if rest in _KNOWN and rest not in _NOT_OF_PRODUCT else normalised(name)


def _in_language(name: str) -> str | None:
    """Returns the usual name in a name with the code of a language, such as "title" for "title_en"."""
    rest = without_locale(_SIGNS.sub("", normalised(name)))
    return found if rest and (found := english(rest)) in _IN_LANGUAGES else None


def _split(name: str) -> tuple[str, str | None]:
    return split_currency(_SIGNS.sub("", name.strip()))


def is_usual(name: str) -> bool:
    """Returns whether the name of a column means a name in USUAL_NAMES."""
    return usual_name(name) in _KNOWN


def names_needed(header: Iterable[str]) -> bool:
    """Returns whether the header has usual names of a SKU and of a title."""
    usual = _by_usual_name(header)
    return all(not usual.keys().isdisjoint(USUAL_NAMES[field]) for field in NEEDED)


def resolve(path: Path, header: Sequence[str], mapping: FieldColumns, empty: Collection[str] = ()) -> Columns:
    """Returns the columns of a table. `mapping` names the columns of a field, and takes precedence over the usual
    names. A column in `empty` is chosen only if all columns with a usual name of the same field are in `empty`.

    Raises MissingColumns, or NotACatalog if two columns have the same name.
    """
    found = _positions_of_names(path, header)
    for field, names in mapping.items():
        for name in names:
            if normalised(name) not in found:
                raise MissingColumns(
                    f'{path.name} has no column "{name}" for {field}', hint=f"Its columns: {_shown(header)}."
                )
    columns = _assigned(found, header, mapping, empty)
    missing = [field for field in NEEDED if field not in columns.positions]
    if missing:
        flags = " ".join(f'--map {field}="..."' for field in missing)
        raise MissingColumns(
            f"{path.name} has no column for {' and '.join(missing)}; its columns: {_shown(header)}",
            hint=f"Name the column: {flags}"
            + (". Cells are separated by comma, semicolon, tab or |." if len(header) == 1 else ""),
        )
    return columns


def resolve_record(path: Path, names: Sequence[str], mapping: FieldColumns, empty: Collection[str]) -> Columns:
    """Returns the columns of a single record. If the record lacks the SKU or the title, validation reports the missing
    field."""
    return _assigned(_positions_of_names(path, names), names, mapping, empty)


def empty_columns(
    path: Path, header: Sequence[str], mapping: FieldColumns, records: Iterable[Iterable[tuple[str, Any]]]
) -> frozenset[str]:
    """Returns the normalised names of columns that have no value in any record. Only columns that compete with another
    column for the same field are examined, because `resolve` needs no others.

    `records` yields the names and values of each record. Records are read only if columns compete. Reading ends when
    the preferred column of each such field has had a value. The result is then empty, because `resolve` chooses the
    preferred columns.
    """
    _positions_of_names(path, header)
    usual = _by_usual_name(header, mapping)
    names_of_fields = [
        [written for name in names for written in usual.get(name, ())]
        for field, names in USUAL_NAMES.items()
        if field not in mapping
    ]
    contested = [names for names in names_of_fields if len(names) > 1]
    preferred = {names[0] for names in contested}
    empty = {name for names in contested for name in names}
    if not contested:
        return frozenset()
    for record in records:
        empty.difference_update([normalised(name) for name, value in record if not is_empty(stripped(value))])
        if preferred.isdisjoint(empty):
            return frozenset()
    return frozenset(empty)


def check_fields(mapping: Iterable[str]) -> None:
    """Raises SettingsError for a field that products do not have."""
    for field in mapping:
        if field not in USUAL_NAMES:
            raise SettingsError(f'--map: there is no field "{field}"', hint=f"Fields: {', '.join(USUAL_NAMES)}.")


def _positions_of_names(path: Path, header: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(header):
        key = normalised(name) or f"column_{position + 1}"
        if key in found:
            raise NotACatalog(
                f'{path.name}: two columns are called "{name.strip()}"', hint="Rename one of these columns."
            )
        found[key] = position
    return found


def _by_usual_name(header: Iterable[str], mapping: Collection[str] = ()) -> dict[str, list[str]]:
    """Maps each name in USUAL_NAMES to the normalised names of the columns that mean it. If the table has a column of
    sale prices or of discounts, a column without a usual name can also count as a date of the sale, because of the
    words in its name."""
    usual: dict[str, list[str]] = {}
    written = {normalised(name): name for name in header}
    for name in sorted(written, key=lambda name: name not in _KNOWN):  # usual names come before translations
        if name != "standard_price" or not _is_of_odoo(written):
            usual.setdefault(usual_name(written[name]), []).append(name)
    for name in (name for name in written if _in_language(name)):
        meant = usual_name(name)
        fields = [each for each in usual if _IN_LANGUAGES.get(each) == _IN_LANGUAGES.get(meant) and each not in _WORSE]
        if any(not _in_language(each) for of_field in fields for each in usual[of_field]) and name in usual[meant]:
            usual[meant].remove(name)  # a name without a language takes precedence
    has_sale = "sale_price" in mapping or not usual.keys().isdisjoint(USUAL_NAMES["sale_price"])
    if has_sale or any(map(says_discount, written)):
        known = {name for meant in usual.keys() & _KNOWN for name in usual[meant]}
        for name in written:
            if name not in known and (field := date_of_sale(name)):
                usual.setdefault(USUAL_NAMES[field][-1], []).append(name)
    return usual


def _is_of_odoo(names: Mapping[str, object]) -> bool:
    """Returns whether `standard_price` is a cost, as in Odoo. In Amazon's files, it is the price."""
    return "list_price" in names and not {"categ_id", "default_code", "product_tmpl_id"}.isdisjoint(names)


def _assigned(
    found: Mapping[str, int], header: Sequence[str], mapping: FieldColumns, empty: Collection[str] = ()
) -> Columns:
    mapped = {field: [key for name in names if (key := normalised(name)) in found] for field, names in mapping.items()}
    positions = {field: found[keys[0]] for field, keys in mapped.items() if keys}
    more = [(field, key, found[key]) for field, keys in mapped.items() for key in keys[1:]]
    taken = {*positions.values(), *(position for _, _, position in more)}
    usual = _by_usual_name(header, mapping)
    others: dict[str, list[str]] = {}
    for field, names in USUAL_NAMES.items():
        written = [(name, each) for name in names for each in usual.get(name, ()) if found[each] not in taken]
        if field not in positions and written:
            meant, first = next(((name, each) for name, each in written if each not in empty), written[0])
            positions[field] = found[first]
            taken.add(found[first])
            others[field] = [each for name, each in written if name == meant or field not in PRICES]
            if field == "image":
                more += _further_images(positions, found, written, empty)
                taken.update([positions[field], *(position for _, _, position in more)])
    for field in _OF_SEVERAL_COLUMNS:
        rest_of_field = [name for name in others.get(field, ()) if found[name] not in taken]
        more += [(field, name, found[name]) for name in rest_of_field]
        taken.update(found[name] for name in rest_of_field)
    if "image" not in mapping:
        numbered = [(name, position) for name, position in found.items() if position not in taken and _is_image(name)]
        more += [("additional_image", name, position) for name, position in numbered]
        taken.update(position for _, position in numbered)
    rest = {name: position for name, position in found.items() if position not in taken}
    if "standard_price" in rest and _is_of_odoo(found):
        rest["standard_price_(cost)"] = rest.pop("standard_price")  # the word "cost" makes the attribute private
    currencies = {position: code for position, name in enumerate(header) if (code := _split(name)[1])}
    if stated := next((found_in[1] for name in header if (found_in := _CURRENCY_OF_EBAY.search(name))), None):
        currencies |= {
            place: stated for field in PRICES if (place := positions.get(field, -1)) not in (-1, *currencies)
        }
    named = pairs(rest)
    for name_and_value in named:
        for name in name_and_value:
            del rest[name]
    other_prices = [name for names in map(usual.get, USUAL_NAMES["price"]) for name in names or () if name in rest]
    options = [(name, found[name], value, found[value]) for name, value in named]
    return Columns(positions, rest, more, currencies, other_prices, options, category_levels(rest))


def _further_images(
    positions: dict[str, int], found: Mapping[str, int], written: Sequence[tuple[str, str]], empty: Collection[str]
) -> list[tuple[str, str, int]]:
    """Returns further columns of images, as `more` of Columns. If a table has a column with one image and a column with
    all images, the one image becomes the first image, in `positions`. The other columns with addresses are used by rows
    that have no image in these columns."""
    filled = [(name, each) for name, each in written if each not in empty]
    one = next((each for name, each in filled if name in _ONE_IMAGE), None)
    every = [each for name, each in filled if name in _ALL_IMAGES]
    if one is not None and every:
        positions["image"] = found[one]
    used = [each for each in every if found[each] != positions["image"]]
    others = [each for name, each in filled if each not in every and name not in _NO_SUBSTITUTE]
    return [("additional_image", each, found[each]) for each in used] + [
        (IMAGE_IF_NONE, each, found[each]) for each in others if found[each] != positions["image"]
    ]


def _is_image(name: str) -> bool:
    """Returns whether a column has the name of an image column and a number, as in "Image URL 2" or "Image 2 URL"."""
    number = _NUMBERED.fullmatch(name)
    return number is not None and usual_name(number[1] + (number[2] or "")) in _IMAGES


def _shown(header: Sequence[str]) -> str:
    names = ", ".join(name.strip() for name in header)
    return names if len(names) <= 300 else names[:300] + "..."
