"""Turns a record, whose columns are assigned to fields, into a `RawProduct`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from db.catalog import prices
from db.catalog.names import normalised
from db.catalog.offer import PRICES
from db.catalog.product import OFFER_COLUMNS, SALE_DATES, RawProduct
from db.catalog.rows.cells import (
    image_paths,
    is_count,
    is_empty,
    named_values,
    one_text,
    spreadsheet_error,
    stripped,
    without_ids,
    words,
)
from db.catalog.rows.discounts import add_sale_price, says_discount
from db.catalog.rows.meant import (
    drop_flagged_sale,
    drop_price_in_cents,
    drop_price_of_parent,
    is_kind,
    join_levels,
    may_be_selling_price,
    says_on_sale,
    shows_price,
    warn_of_lower_price,
)
from db.catalog.rows.options import field_of_option, says_availability, stock_sign
from db.catalog.rows.published import is_hidden, says_shown

GATHERED = ("image", "additional_image", "keywords")  # fields that take the values of all their columns
NEEDED = ("sku", "title")
IMAGE_IF_NONE = "image_if_none"  # in `Columns.more`, a column that has the images of rows without another image
_LONGEST_OPTION = 100  # characters of the name of an option; a longer text is no name
SPECIAL = frozenset(("image", "additional_image", "image_phash", "keywords"))  # fields whose cells need a conversion


@dataclass(frozen=True)
class Columns:
    """The positions of columns in a record. `rest` holds the columns without a field, by their normalised names.

    If a field has several columns, `more` has the field, normalised name and position of each column but the first.
    `currencies` has the currency that the name of a price's column states, by the position of the column.
    `other_prices` names the columns in `rest` with other usual names of the price, such as `retail_price`. `options`
    has the name and position of each column with names of options, and of the column with their values.
    `category_levels` names the columns in `rest` that make the category of a row without a product type, highest level
    first. With `stock_decides`, a product without an availability gets it from its quantity, unless one of its
    attributes says whether the product is available, or that it is sold without stock.
    """

    positions: Mapping[str, int]
    rest: Mapping[str, int]
    more: Sequence[tuple[str, str, int]] = ()
    currencies: Mapping[int, str] | None = None
    other_prices: Sequence[str] = ()
    options: Sequence[tuple[str, int, str, int]] = ()
    category_levels: Sequence[str] = ()
    stock_decides: bool = False

    @cached_property
    def _flags_of_sale(self) -> tuple[str, ...]:
        return tuple(filter(says_on_sale, self.rest))

    @cached_property
    def _discounts(self) -> tuple[str, ...]:
        return tuple(filter(says_discount, self.rest))

    @cached_property
    def _prices(self) -> tuple[str, ...]:
        return tuple(filter(may_be_selling_price, self.rest))

    @cached_property
    def _shown_prices(self) -> tuple[str, ...]:
        return tuple(filter(shows_price, self.rest))

    @cached_property
    def _flags_of_publication(self) -> tuple[str, ...]:
        return tuple(filter(says_shown, self.rest))

    def targets(self, header: Sequence[str]) -> dict[str, str]:
        """Returns a dict from the name of each column in the header to the field of the column."""
        shown = {"keywords": "attributes.keywords", SALE_DATES: "sale_starts_at, sale_ends_at"}
        fields = {position: shown.get(field, field) for field, position in self.positions.items()}
        fields |= {
            position: shown.get(
                field, field if field in GATHERED else f"{field.removesuffix('_if_none')}, or attributes.{name}"
            )
            for field, name, position in self.more
        }
        fields |= {position: f"attributes.{name}" for name, position in self.rest.items() if name != "attributes"}
        fields |= {position: "attributes" for name, position in self.rest.items() if name == "attributes"}
        fields |= {place: "attributes" for _, name, _, value in self.options for place in (name, value)}
        return {name.strip() or f"column_{position + 1}": fields[position] for position, name in enumerate(header)}

    def row(self, line: int, cells: Sequence[Any]) -> RawProduct:
        """Returns the product in a record, whose cells are texts or JSON values.

        Raises ValueError for a SKU or title that cannot be converted; the faults of other fields are in the product.
        """
        fields: dict[str, str] = {}
        images: tuple[str, ...] = ()
        phash = None
        attributes: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for name, position in self.positions.items():
            cell = cells[position]
            if type(cell) is str:
                if not (cell := cell.strip()):
                    continue
                if cell[0] == "#" and (reason := spreadsheet_error(cell)):
                    faults.append((name, f"{name} {reason}"))
                    continue
                if name not in SPECIAL:
                    fields[name] = cell
                    continue
            elif is_empty(cell):
                continue
            elif name == "product_type":
                cell = without_ids(cell, faults)
                if is_empty(cell):
                    continue
            try:
                if name == "image":
                    images = (*image_paths(cell, faults), *images)
                elif name == "additional_image":
                    images = (*images, *image_paths(cell, faults))
                elif name == "image_phash":
                    phash = one_text(name, cell)
                elif name == "keywords":
                    attributes["keywords"] = words(cell)
                else:
                    fields[name] = one_text(name, cell)
            except ValueError as error:
                if name in NEEDED:
                    raise
                if name in OFFER_COLUMNS and isinstance(cell, Mapping | list):  # such as {"rate": 4.5, "count": 12}
                    attributes[name] = cell
                else:
                    faults.append((name, str(error)))
            if name == "product_type" and isinstance(cell, list) and len(cell) > 1:
                attributes["product_types"] = cell  # all values; the field holds only the first value
        read = self.positions  # the position of the column from which each field was read
        if self.more:
            images, read = self._add_more(cells, fields, images, attributes, faults)
        if self.currencies:
            for name in PRICES:
                if name in fields:
                    _set_currency(fields, name, self.currencies.get(read[name]))
        for name, position in self.rest.items():
            cell = cells[position]
            if type(cell) is str:
                if not (cell := cell.strip()):
                    continue
                if cell[0] == "#" and (reason := spreadsheet_error(cell)):
                    faults.append(("attributes", f"{name} {reason}"))
                else:
                    attributes[name] = cell
            elif not is_empty(cell):
                attributes[name] = str(cell) if isinstance(cell, Decimal) else cell
        if self.options:
            self._add_options(cells, fields, attributes)
        if "attributes" in attributes:
            _take_members(attributes, fields)
        if self.category_levels:
            join_levels(fields, attributes, self.category_levels)
        if self.stock_decides and "quantity" in fields and "availability" not in fields:
            sign = stock_sign(fields["quantity"])
            if sign is not None and not any(says_availability(name, cell) for name, cell in attributes.items()):
                fields["availability"] = "in_stock" if sign > 0 else "out_of_stock"
        unread = [] if "price" in fields else [name for name in self.other_prices if name in attributes]
        warnings = [("price", _unread(unread[0]))] if unread else []
        self._apply_others(fields, attributes, faults, warnings)
        return RawProduct(fields, images, phash, attributes, line, faults, warnings)

    def _apply_others(
        self,
        fields: dict[str, str],
        attributes: dict[str, Any],
        faults: list[tuple[str, str]],
        warnings: list[tuple[str, str]],
    ) -> None:
        """Applies what the columns without a field say about the sale, the price and the publication."""

        def of(names: Sequence[str]) -> dict[str, Any]:
            return {name: attributes[name] for name in names if name in attributes}

        if self._shown_prices:
            drop_price_in_cents(fields, of(self._shown_prices), faults)
        if self._discounts:
            add_sale_price(fields, of(self._discounts), warnings)
        if self._flags_of_sale:
            drop_flagged_sale(fields, of(self._flags_of_sale), warnings)
        if self._prices:
            warn_of_lower_price(fields, of(self._prices), warnings)
        stated = fields.get("availability", "")
        if is_hidden(of(self._flags_of_publication), stated):
            if stated:
                attributes.setdefault("product_availability", stated)
            fields["availability"] = "out_of_stock"
        drop_price_of_parent(fields, attributes, warnings)

    def _add_options(self, cells: Sequence[Any], fields: dict[str, str], attributes: dict[str, Any]) -> None:
        """Adds each option whose name and value are in two columns as an attribute, such as `colour`. The option also
        sets color, size or material if the field is empty."""
        for name_column, name_position, value_column, value_position in self.options:
            name, value = stripped(cells[name_position]), stripped(cells[value_position])
            if isinstance(value, str) and spreadsheet_error(value):
                value = ""
            key = normalised(name) if isinstance(name, str) and 0 < len(name) <= _LONGEST_OPTION else ""
            if key and isinstance(value, str) and value and key not in attributes:
                attributes[key] = value
                if field := field_of_option(key):
                    fields.setdefault(field, value)
            else:
                for column, cell in ((name_column, name), (value_column, value)):
                    if not is_empty(cell):
                        attributes[column] = str(cell) if isinstance(cell, Decimal) else cell

    def _add_more(
        self,
        cells: Sequence[Any],
        fields: dict[str, str],
        images: tuple[str, ...],
        attributes: dict[str, Any],
        faults: list[tuple[str, str]],
    ) -> tuple[tuple[str, ...], Mapping[str, int]]:
        """Adds the values of the columns in `more`. Returns all images, and the position of the column from which each
        field was read.

        Images and keywords are gathered from all columns of their field. Any other field takes its value from the first
        of its columns that has a value. The values of the columns after that column become attributes. A sale price or
        compare-at price also becomes an attribute if its column names a currency other than that of the price.
        """
        read = dict(self.positions)
        for field, name, position in self.more:
            if is_empty(cell := stripped(cells[position])):
                continue
            if reason := spreadsheet_error(cell):  # a fault in a SKU or a title would reject a product that has both
                faults.append(("attributes" if field in fields else field.removesuffix("_if_none"), f"{name} {reason}"))
                continue
            if field == "product_type" and is_kind(fields.get(field, "product")):
                if is_empty(cell := without_ids(cell, faults)):
                    continue
                if isinstance(cell, list) and len(cell) > 1:
                    attributes["product_types"] = cell
            try:
                if field == "additional_image" and is_count(cell):
                    attributes[name] = cell
                elif field in ("image", "additional_image") or (field == IMAGE_IF_NONE and not images):
                    images = (*images, *image_paths(cell, faults))
                elif field == "keywords":
                    attributes["keywords"] = list(dict.fromkeys([*attributes.get("keywords", ()), *words(cell)]))
                elif field == "product_type" and is_kind(fields.get(field)) and not is_kind(cell):
                    attributes.setdefault("type", fields[field])
                    fields[field] = one_text(field, cell)
                elif (
                    field in fields
                    or field == IMAGE_IF_NONE
                    or (field == "product_type" and is_kind(cell))
                    or self._has_other_currency(field, position, read, fields)
                ):
                    attributes[name] = str(cell) if isinstance(cell, Decimal) else cell
                else:
                    fields[field] = cell if isinstance(cell, str) else one_text(field, cell)
                    read[field] = position
            except ValueError as error:
                if field in NEEDED:
                    raise
                faults.append((field.removesuffix("_if_none"), str(error)))
        self._check_currency(fields, attributes, read, faults)
        return images, read

    def _has_other_currency(
        self, field: str, position: int, read: Mapping[str, int], fields: Mapping[str, str]
    ) -> bool:
        if field not in PRICES or field == "price" or "price" not in fields or not self.currencies:
            return False
        code = self.currencies.get(position)
        of_price = self.currencies.get(read["price"]) or fields.get("currency", "").upper()
        return bool(code and of_price and code != of_price)

    def _check_currency(
        self,
        fields: dict[str, str],
        attributes: Mapping[str, Any],
        read: Mapping[str, int],
        faults: list[tuple[str, str]],
    ) -> None:
        """Drops the price if it is not from the first column of prices and the columns of currencies state several
        currencies. Any of these currencies could be the currency of the price."""
        if "price" not in fields or read["price"] == self.positions["price"]:
            return
        if self.currencies and read["price"] in self.currencies:
            return
        stated = [attributes[name] for field, name, _ in self.more if field == "currency" and name in attributes]
        if other := next((text for text in map(str, stated) if text.upper() != fields["currency"].upper()), None):
            price = prices.shown(fields.pop("price"))
            faults.append(
                ("price", f'price "{price}" is in {fields["currency"]} by one column and in {other} by another')
            )


def _unread(name: str) -> str:
    return (
        f"price is empty, and the value in {name} became an attribute; "
        "to read the price from several columns, repeat --map price=COLUMN"
    )


def _set_currency(fields: dict[str, str], name: str, code: str | None) -> None:
    """Adds the currency of a price's column to the product, unless the price names a currency itself. If the product
    has another currency, adds the column's currency to the text of the price, so that validation reports the
    difference."""
    try:
        if code is None or prices.split(fields[name]).currency:
            return
    except ValueError:
        return  # validation reports the price
    if fields.setdefault("currency", code).upper() != code:
        fields[name] = f"{fields[name]} {code}"


def _take_members(attributes: dict[str, Any], fields: dict[str, str]) -> None:
    """Replaces the attribute `attributes` by its members if the attribute has one of two forms: an object, as in PUT
    /products, or a list such as [{"name": "Color", "options": ["Red"]}].

    The members of a list also set color, size and material if these fields are empty.
    """
    members = attributes["attributes"]
    if isinstance(members, Mapping):
        del attributes["attributes"]
        attributes.update(members)
    elif isinstance(members, list) and (named := named_values(members)):
        del attributes["attributes"]
        for name, values in named.items():
            attributes.setdefault(normalised(name), values[0] if len(values) == 1 else values)
            texts = [value for value in values if isinstance(value, str)]
            if (field := field_of_option(name)) and texts and field not in fields:
                fields[field] = "/".join(texts)
