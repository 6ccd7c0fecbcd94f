"""Parses JSON as strictly as the database does: NaN, numbers beyond a double and repeated names in an object are
errors."""

import json
import math
from collections.abc import Generator
from typing import Any

from loader.rejects import Reject
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.lines import NOT_UTF8, TOO_LONG, Lines, bad_byte


def parse(text: str) -> Any:
    """Returns the value of a JSON text. Raises ValueError with the reason if the text is not valid."""
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"position {error.pos + 1}" if error.lineno == 1 else f"line {error.lineno}, position {error.colno}"
        raise ValueError(f"not JSON: {error.msg.removesuffix(' at')} at {where}") from None
    except RecursionError:
        raise ValueError("not JSON that can be read: nested too deep") from None


def values(file: CatalogFile) -> Generator[tuple[int, Any] | Reject]:
    """Yields the line number and value of each JSON line that is not blank."""
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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice[:40]}" is given twice')
    return found


def _number(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written[:40]} is not a number that can be stored")
    return number


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_number)
