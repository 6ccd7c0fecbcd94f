"""Assigns the columns of a table to fields, by the usual names of the columns or by `--map`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from db.catalog.names import normalised
from db.catalog.product import COLUMNS, SALE_DATES
from db.catalog.rows.cells import is_empty
from db.catalog.rows.columns import NEEDED, Columns, stripped
from db.errors import SettingsError
from loader.errors import MissingColumns, NotACatalog

FieldColumns = Mapping[str, Sequence[str]]  # the columns of each field, as `--map` gives them, best first

# The column names that shops use for each field, best first. If several columns have a name of the same field, the
# field takes the column with the best name, if possible one with values. The other columns become attributes.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    **{column: (column,) for column in COLUMNS if column != "image_link"},
    "sku": ("sku", "id", "offer_id", "posting_id", "product_id", "item_id", "retailer_id", "handle", "article_number",
            "listing_id", "product_number", "seller_sku"),
    "title": ("title", "name", "product_title", "product_name", "product_display_name", "item_name"),
    "description": ("description", "product_description", "long_description", "body_html", "description_html",
                    "desc", "short_description"),
    "brand": ("brand", "vendor", "manufacturer", "brand_name", "manufacturer_name"),
    "product_type": ("product_type", "product_types", "category", "categories", "department", "type"),
    "price": ("price", "unit_price", "regular_price", "standard_price"),
    "currency": ("currency", "currency_code", "price_currency"),
    "availability": ("availability", "stock_status", "availability_status", "in_stock", "is_in_stock"),
    "gtin": ("gtin", "ean", "upc", "isbn", "barcode"),
    "item_group_id": ("item_group_id", "parent_sku"),
    "link": ("link", "url", "product_url", "permalink", "online_store_url"),
    "color": ("color", "colour", "colors", "colours"),
    "size": ("size", "sizes"),
    "material": ("material", "materials"),
    "image": (
        "image", "images", "image_path", "image_file", "filename", "picture", "photo", "image_src", "image_url",
        "image_urls", "picture_url", "pictures", "photos", "image_link", "main_image", "featured_image", "thumbnail",
        "main_image_url", "product_image", "product_images", "product_image_url",
    ),
    "additional_image": ("additional_image", "additional_images", "additional_image_link", "additional_image_links"),
    # This entry stands after "image", so a column image_link fills this field only if another column has the images.
    "image_link": ("image_link",),
    "image_phash": ("image_phash",),
    "keywords": ("keywords", "tags"),
    "sale_price": ("sale_price", "special_price"),
    "sale_starts_at": (
        "sale_starts_at", "sale_price_starts_at", "sale_price_start_date", "sale_start_date", "date_sale_price_starts",
        "date_on_sale_from_gmt", "date_on_sale_from", "special_price_from_date", "special_from_date",
        "sale_start", "sale_starts", "sale_begins_at", "sale_begin", "sale_from", "sale_from_date", "sale_date_from",
        "sale_price_start", "sale_price_from", "sale_price_dates_from", "special_price_from",
    ),
    "sale_ends_at": (
        "sale_ends_at", "sale_price_ends_at", "sale_price_end_date", "sale_end_date", "date_sale_price_ends",
        "date_on_sale_to_gmt", "date_on_sale_to", "special_price_to_date", "special_to_date",
        "sale_end", "sale_ends", "sale_until", "sale_to", "sale_to_date", "sale_date_to", "sale_price_end",
        "sale_price_to", "sale_price_dates_to", "special_price_to",
    ),
    SALE_DATES: ("sale_price_effective_date", "sale_dates"),
    "compare_at_price": (
        "compare_at_price", "list_price", "msrp", "rrp", "original_price", "was_price", "old_price", "regular_price",
    ),
    "quantity": (
        "quantity", "qty", "stock_quantity", "inventory_quantity", "inventory_level", "quantity_in_stock",
        "stock_level", "stock", "sell_on_google_quantity", "quantity_to_sell_on_facebook",
    ),
    "rating": ("rating", "average_rating", "avg_rating", "rating_value", "review_rating"),
    "review_count": ("review_count", "reviews_count", "rating_count", "ratings_count", "number_of_reviews"),
    "published_at": (
        "published_at", "date_published", "publish_date", "published_date", "publication_date", "pub_date",
    ),
}  # fmt: skip


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
    columns = _assigned(found, mapping, empty)
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
    return _assigned(_positions_of_names(path, names), mapping, empty)


def empty_columns(
    path: Path, header: Sequence[str], mapping: FieldColumns, records: Iterable[Iterable[tuple[str, Any]]]
) -> frozenset[str]:
    """Returns the normalised names of columns that have no value in any record, as far as `resolve` needs these names.

    `records` yields the names and values of each record. Records are read only if several columns have a usual name of
    the same field. Reading ends when the preferred column of each such field has a value.
    """
    found = _positions_of_names(path, header)
    names_of_fields = [
        [name for name in names if name in found] for field, names in USUAL_NAMES.items() if field not in mapping
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


def _assigned(found: Mapping[str, int], mapping: FieldColumns, empty: Collection[str] = ()) -> Columns:
    mapped = {field: [key for name in names if (key := normalised(name)) in found] for field, names in mapping.items()}
    positions = {field: found[keys[0]] for field, keys in mapped.items() if keys}
    more = [(field, key, found[key]) for field, keys in mapped.items() for key in keys[1:]]
    taken = {*positions.values(), *(position for _, _, position in more)}
    for field, names in USUAL_NAMES.items():
        free = [found[name] for name in names if name in found and found[name] not in taken]
        if field not in positions and free:
            full = [found[name] for name in names if found.get(name) in free and name not in empty]
            positions[field] = (full or free)[0]
            taken.add(positions[field])
    return Columns(positions, {name: position for name, position in found.items() if position not in taken}, more)


def _shown(header: Sequence[str]) -> str:
    names = ", ".join(name.strip() for name in header)
    return names if len(names) <= 300 else names[:300] + "..."
