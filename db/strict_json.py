"""Parses JSON strictly: NaN, numbers such as 1e999 that no double can hold, and repeated names in an object are errors.
Deep nesting is an error too, because recursive functions would exceed the recursion limit."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

DEEPEST = 100  # levels of lists and objects
TOO_DEEP = "not JSON that can be read: nested too deep"


def parse(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError with the reason if the text is not valid."""
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"position {error.pos + 1}" if error.lineno == 1 else f"line {error.lineno}, position {error.colno}"
        raise ValueError(f"not JSON: {error.msg.removesuffix(' at')} at {where}") from None
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    if is_deep_text(text, value):
        raise ValueError(TOO_DEEP)
    return value


def is_deep_text(text: str, value: Any, start: int = 0, end: int | None = None) -> bool:
    """Return whether `value`, which is the part from `start` to `end` of a text, is nested too deeply. Counting the
    brackets of the text is enough for nearly every value."""
    return text.count("[", start, end) + text.count("{", start, end) > DEEPEST and is_deep(value)


def is_deep(value: Any, deepest: int = DEEPEST) -> bool:
    """Return whether a member of a value lies more than `deepest` levels of lists and objects below the value."""
    level = [value]
    for _ in range(deepest + 1):
        level = [
            member
            for each in level
            if isinstance(each, Mapping | list | tuple)
            for member in (each.values() if isinstance(each, Mapping) else each)
        ]
        if not level:
            return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f'"{twice[:40]}" is given twice')
    return found


def _number(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written[:40]} is not a number that can be stored")
    return number


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_number)
