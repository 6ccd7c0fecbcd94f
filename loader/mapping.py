"""Parses the options `--format`, `--map` and `--map-file`."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from db.errors import SettingsError
from loader.formats import Format
from loader.sources.reading.columns import check_fields


def parse_format(name: str | None) -> Format | None:
    """Returns the format of this name, or None without a name. Raises SettingsError for an unknown format."""
    try:
        return Format(name) if name is not None else None
    except ValueError:
        raise SettingsError(f'--format: there is no format "{name}"', hint=f"Formats: {', '.join(Format)}.") from None


def parse_mapping(assignments: Sequence[str], file: Path | None = None) -> dict[str, str]:
    """Returns the column of each field. Assignments like `field=column` take precedence over the file.

    Raises SettingsError if an assignment or the file cannot be understood.
    """
    mapping: dict[str, str] = {}
    for assignment in assignments:
        field, separator, column = assignment.partition("=")
        field = field.strip()
        if not separator or not field or not column.strip():
            raise SettingsError(
                f'--map "{assignment}" is not FIELD=COLUMN', hint='For example: --map title="Item name".'
            )
        if field in mapping:
            raise SettingsError(f"--map: {field} is given twice")
        mapping[field] = column.strip()
    return {**(_read_file(file) if file else {}), **mapping}


def _read_file(path: Path) -> dict[str, str]:
    """Reads TOML with a line for each field, such as title = "Item name"."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--map-file: cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, not TOML
        raise SettingsError(
            f"--map-file: {path} is not TOML: {error}", hint='For example: title = "Item name"'
        ) from error
    for field, column in written.items():
        if not isinstance(column, str) or not column.strip():
            raise SettingsError(
                f"--map-file: {field} in {path} is not the name of a column", hint='For example: title = "Item name"'
            )
    check_fields(written)
    return {field: column.strip() for field, column in written.items()}
