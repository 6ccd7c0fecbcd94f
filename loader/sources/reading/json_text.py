"""Reads JSON Lines. Each line must follow the strict rules of db/strict_json.py."""

from collections.abc import Generator
from typing import Any

from db.strict_json import parse
from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.lines import NOT_UTF8, TOO_LONG, Lines, bad_byte


def values(file: CatalogFile) -> Generator[tuple[int, Any] | Reject]:
    """Yields, for each line that is not blank, the line number and the value, or a Reject."""
    with file.opened() as opened:
        for number, raw in Lines(opened):
            if raw is None:
                yield Reject(number, "", f"the line is {TOO_LONG}")
            elif raw.strip():
                try:
                    yield number, parse(raw.rstrip().decode())
                except UnicodeDecodeError as error:
                    yield Reject(number, "", NOT_UTF8.format(bad_byte(raw, number, error)))
                except ValueError as error:
                    yield Reject(number, "", str(error))
