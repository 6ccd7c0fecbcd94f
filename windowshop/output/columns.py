"""Prints which column of a catalog file became which field."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from windowshop.output.terminal import tell

if TYPE_CHECKING:
    from loader.summary import LoadSummary

MAX_COLUMNS = 200  # at most this many columns are listed
MAX_NAME = 60  # the name of a column is cut to at most this many characters
ATTRIBUTE = "attributes."


def print_columns(summary: "LoadSummary") -> None:
    """Print a line for each of the first MAX_COLUMNS columns, and then the fields that are empty in every product.

    Prints nothing if no product was accepted.
    """
    if not summary.columns or not summary.accepted:
        return
    shown = list(summary.columns.items())[:MAX_COLUMNS]
    names = [" ".join(name.split())[:MAX_NAME] for name, _ in shown]
    width = max(map(len, ("column", *names)))
    lines = [f"{'column':<{width}}  field"]
    for name, (_, planned) in zip(names, shown, strict=True):
        field = _filled(planned, summary)
        note = " (no value)" if _is_empty(field, summary) else ""
        lines.append(f"{name:<{width}}  {field}{note}")
    if left := len(summary.columns) - len(shown):
        lines.append(f"and {left:,} more columns")
    if empty := list(_empty_fields(summary)):
        lines.append(f"Fields that are empty in every product: {', '.join(empty)}")
    tell("\n".join(lines) + "\n")


def _filled(field: str, summary: "LoadSummary") -> str:
    """Return the field that the values of a column became. The loader stores a value that does not fit the planned
    field, such as a rating that is an object, as an attribute of the same name. If this happened to every value, return
    this attribute."""
    is_attribute = field in summary.empty_fields and field in summary.attributes
    return f"{ATTRIBUTE}{field}" if is_attribute else field


def _is_empty(field: str, summary: "LoadSummary") -> bool:
    if field.startswith(ATTRIBUTE):
        return field.removeprefix(ATTRIBUTE) not in summary.attributes
    return field in _empty_fields(summary)


def _empty_fields(summary: "LoadSummary") -> Iterator[str]:
    from db.catalog.product import COLUMNS

    yield from (name for name in COLUMNS if name in summary.empty_fields)
    if summary.without_image == summary.accepted:
        yield "image"
