"""Parses the options `--format`, `--map`, `--map-values`, `--map-file`, `--currency` and `--base-url`."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from db.catalog import values
from db.catalog.product import COLUMNS
from db.errors import SettingsError
from loader.formats import Format
from loader.sources.changed_values import ValueChanges
from loader.sources.reading.columns import check_fields

VALUES = "values"  # the name of the table that holds replacements of values in a mapping file


def parse_format(name: str | None) -> Format | None:
    """Returns the format of this name, or None without a name. Raises SettingsError for an unknown format."""
    try:
        return Format(name) if name is not None else None
    except ValueError:
        raise SettingsError(f'--format: there is no format "{name}"', hint=f"Formats: {', '.join(Format)}.") from None


def parse_mapping(assignments: Sequence[str], file: Path | None = None) -> dict[str, list[str]]:
    """Returns the columns of each field. Assignments like `field=column` take precedence over the file. A field with
    several assignments has several columns.

    Raises SettingsError if an assignment or the file cannot be understood.
    """
    mapping: dict[str, list[str]] = {}
    for assignment in assignments:
        field, separator, column = assignment.partition("=")
        field = field.strip()
        if not separator or not field or not column.strip():
            raise SettingsError(
                f'--map "{assignment}" is not FIELD=COLUMN', hint='For example: --map title="Item name".'
            )
        mapping.setdefault(field, []).append(column.strip())
    return {**(_columns_in(file) if file else {}), **mapping}


def parse_values(assignments: Sequence[str], file: Path | None = None) -> dict[str, dict[str, str]]:
    """Returns, for each field, a dict from values to their replacements. Assignments like `field:value=replacement`
    take precedence over the table [values.field] of the file.

    Raises SettingsError if an assignment, the file or the name of a field is invalid.
    """
    replacements: dict[str, dict[str, str]] = _values_in(file) if file else {}
    for assignment in assignments:
        field, separator, rest = assignment.partition(":")
        given, equals, wanted = rest.rpartition("=")
        if not separator or not equals or not field.strip() or not given.strip():
            raise SettingsError(
                f'--map-values "{assignment}" is not FIELD:VALUE=VALUE',
                hint='For example: --map-values "availability:nur im Laden=in_stock".',
            )
        replacements.setdefault(field.strip(), {})[given.strip()] = wanted.strip()
    for field in replacements:
        if field not in COLUMNS:
            raise SettingsError(f'--map-values: there is no field "{field}"', hint=f"Fields: {', '.join(COLUMNS)}.")
    return replacements


def parse_changes(
    assignments: Sequence[str], file: Path | None, currency: str | None, base_url: str | None
) -> ValueChanges:
    """Returns the changes that the options `--map-values`, `--currency` and `--base-url` describe. Raises
    SettingsError if an option or the file is invalid."""
    try:
        code = values.currency(currency) if currency else None
    except ValueError as error:
        raise SettingsError(f"--currency: {error}") from error
    if base_url and not base_url.lower().startswith(("http://", "https://")):
        raise SettingsError(f'--base-url: "{base_url}" is no address', hint="For example: https://shop.example/media/")
    return ValueChanges(parse_values(assignments, file), code, base_url)


def _columns_in(path: Path) -> dict[str, list[str]]:
    written = _read_file(path)
    written.pop(VALUES, None)
    mapping = {}
    for field, columns in written.items():
        names = columns if isinstance(columns, list) and columns else [columns]
        if not all(isinstance(name, str) and name.strip() for name in names):
            raise SettingsError(
                f"--map-file: {field} in {path} is not the name of a column", hint='For example: title = "Item name"'
            )
        mapping[field] = [name.strip() for name in names]
    check_fields(mapping)
    return mapping


def _values_in(path: Path) -> dict[str, dict[str, str]]:
    tables = _read_file(path).get(VALUES, {})
    if not isinstance(tables, dict) or not all(
        isinstance(table, dict) and all(isinstance(value, str) for value in table.values()) for table in tables.values()
    ):
        raise SettingsError(
            f"--map-file: [{VALUES}] in {path} has no tables of texts",
            hint=f'For example: [{VALUES}.availability] and a line "nur im Laden" = "in_stock".',
        )
    return {field: dict(table) for field, table in tables.items()}


def _read_file(path: Path) -> dict[str, Any]:
    """Reads TOML with a line for each field, such as title = "Item name", and tables of replacements."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--map-file: cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # the file is not UTF-8 or not TOML
        raise SettingsError(
            f"--map-file: {path} is not TOML: {error}", hint='For example: title = "Item name"'
        ) from error
