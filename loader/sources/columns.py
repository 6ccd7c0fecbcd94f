"""Which column of a table holds what: by the usual names, or as `--map` says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.catalog import COLUMNS
from db.errors import SettingsError
from loader.errors import MissingColumns, NotACatalog
from loader.rows import RawRow

NEEDED = ("sku", "title")

# The names shops use, the best one first. What is left over when two columns could be meant becomes an attribute.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    **{column: (column,) for column in COLUMNS if column != "image_link"},
    "sku": ("sku", "id", "posting_id", "product_id", "item_id", "handle", "article_number"),
    "title": ("title", "name", "product_title", "product_name", "product_display_name"),
    "description": ("description", "product_description", "long_description"),
    "brand": ("brand", "vendor", "manufacturer"),
    "product_type": ("product_type", "category", "department", "type"),
    "price": ("price", "unit_price"),
    "currency": ("currency", "currency_code", "price_currency"),
    "availability": ("availability", "stock_status"),
    "gtin": ("gtin", "ean", "upc", "isbn", "barcode"),
    "item_group_id": ("item_group_id", "parent_sku"),
    "link": ("link", "url", "product_url"),
    "color": ("color", "colour"),
    "image": (
        "image", "images", "image_path", "image_file", "filename", "picture", "photo", "image_src", "image_url",
        "picture_url", "image_link",
    ),
    "additional_image": ("additional_image", "additional_images", "additional_image_link", "additional_image_links"),
    "image_link": ("image_link",),  # after "image": beside a column of files it is only a link
    "image_phash": ("image_phash",),
    "keywords": ("keywords", "tags"),
}  # fmt: skip


def normalised(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower()).removeprefix("g:")


@dataclass(frozen=True)
class Columns:
    """Places in a record. `rest` are the columns that nothing else claims, under their normalised names."""

    places: Mapping[str, int]
    rest: Mapping[str, int]

    def row(self, line: int, cells: Sequence[str]) -> RawRow:
        fields: dict[str, str] = {}
        images: tuple[str, ...] = ()
        phash = None
        attributes: dict[str, object] = {}
        for name, place in self.places.items():
            cell = cells[place].strip()
            if not cell:
                continue
            if name == "image":
                images = (*_several_pictures(cell), *images)
            elif name == "additional_image":
                images = (*images, *_several_pictures(cell))
            elif name == "image_phash":
                phash = cell
            elif name == "keywords":
                attributes["keywords"] = _several_words(cell)
            else:
                fields[name] = cell
        for name, place in self.rest.items():
            if cell := cells[place].strip():
                attributes[name] = cell
        return RawRow(line, fields, images, phash, attributes)


def resolve(path: Path, header: Sequence[str], mapping: Mapping[str, str]) -> Columns:
    """`mapping` is from a field to the header of its column and goes before the usual names.

    Raises MissingColumns, or NotACatalog for a header that names two columns alike.
    """
    found: dict[str, int] = {}
    for place, name in enumerate(header):
        key = normalised(name) or f"column_{place + 1}"
        if key in found:
            raise NotACatalog(f'{path.name}: two columns are called "{name.strip()}"', hint="Rename one of them.")
        found[key] = place

    places: dict[str, int] = {}
    for field, name in mapping.items():
        if field not in USUAL_NAMES:
            raise SettingsError(f'--map: there is no field "{field}"', hint=f"Fields: {', '.join(USUAL_NAMES)}.")
        if normalised(name) not in found:
            raise MissingColumns(
                f'{path.name} has no column "{name}" for {field}', hint=f"Its columns: {', '.join(header)}."
            )
        places[field] = found[normalised(name)]
    taken = set(places.values())
    for field, names in USUAL_NAMES.items():
        free = [found[name] for name in names if name in found and found[name] not in taken]
        if field not in places and free:
            places[field] = free[0]
            taken.add(free[0])

    missing = [field for field in NEEDED if field not in places]
    if missing:
        flags = " ".join(f'--map {field}="..."' for field in missing)
        raise MissingColumns(
            f"{path.name} has no column for {' and '.join(missing)}; its columns: {_shown(header)}",
            hint=f"Name the column: {flags}"
            + (". Cells are separated by comma, semicolon, tab or |." if len(header) == 1 else ""),
        )
    return Columns(places, {name: place for name, place in found.items() if place not in taken})


def _shown(header: Sequence[str]) -> str:
    names = ", ".join(name.strip() for name in header)
    return names if len(names) <= 300 else names[:300] + "..."


def _several_pictures(cell: str) -> list[str]:
    """Split at | and ;, in a cell of addresses (which may hold both ; and ,) only where another address begins."""
    pattern = r"\||[;,\s]+(?=[a-z0-9]+://)" if "://" in cell else r"[|;]"
    return [part.strip() for part in re.split(pattern, cell) if part.strip()]


def _several_words(cell: str) -> list[str]:
    parts = re.split(r"[|;]" if re.search(r"[|;]", cell) else ",", cell)
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))
