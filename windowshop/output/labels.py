"""Reads logs of filters. Prints the advice on labels as a table, or returns it as JSON. A label is a value of a field
whose products have an HNSW index of their own."""

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from db.errors import SettingsError
from db.lifecycle.label_advice import MEASURED, MOST_LINE, QUERIES, Advice, Filters, read_filters
from windowshop.output.terminal import plain, say

STANDARD_INPUT = Path("-")
MOST_LINES = 5_000_000  # lines that are read from all files together
MOST_SHOWN = 30


def read(logs: Sequence[Path]) -> Filters:
    """Count the searches of the files. Raises SettingsError if a file cannot be read or no line is a search."""
    with ExitStack() as stack:
        try:
            if isinstance(sys.stdin, TextIOWrapper):
                sys.stdin.reconfigure(errors="replace")
            files = [
                sys.stdin if path == STANDARD_INPUT else stack.enter_context(path.open(errors="replace"))
                for path in logs
            ]
            filters = read_filters(_first(line for file in files for line in _lines(file)))
        except OSError as error:
            raise SettingsError(f"{error.filename} cannot be read: {error.strerror}") from error
    if logs and not filters.searches:
        raise SettingsError(
            f"no line of {', '.join(map(str, logs))} is a search",
            hint="A line is a filter as JSON, or a line of the web service's log with WINDOWSHOP_WEB_LOG_LABELS=true.",
        )
    return filters


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file. A line that is too long is yielded as MOST_LINE + 1 characters, which is no filter."""
    while line := file.readline(MOST_LINE + 1):
        yield line
        while len(line) > MOST_LINE and not line.endswith("\n"):
            line = file.readline(MOST_LINE + 1)


def _first(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == MOST_LINES:
            say(f"Only the first {MOST_LINES:,} lines are read.")
            return
        yield line


def print_advice(console: Console, filters: Filters, found: Sequence[Advice], *, logged: bool, least: int) -> None:
    """Print the advice. A value can have a label if it has `least` products or more."""
    if logged:
        skipped = f"; {filters.skipped:,} lines are no filter" if filters.skipped else ""
        more = "; further values were left out" if filters.more else ""
        console.print(f"{filters.searches:,} searches were logged{skipped}{more}.", highlight=False)
    else:
        console.print(
            "No log is given, so the most frequent values come first. Log the filters of searches with "
            "WINDOWSHOP_WEB_LOG_LABELS=true, and give the log with --log.",
            highlight=False,
        )
    if not found:
        console.print(f"No further value has {least:,} products or more.", highlight=False)
        return
    table = Table("label", "searches", "products", "now", "then", "index", "build", box=box.SIMPLE_HEAD)
    for one in found[:MOST_SHOWN]:
        table.add_row(
            plain(f"{one.field} {one.value}"),
            f"{one.searches:,}" if logged else "",
            f"{one.products:,} ({one.share:.1%})",
            "" if one.ms_now is None else f"{one.ms_now:.1f} ms",
            f"{one.ms_label:.1f} ms",
            f"{one.index_bytes / 2**20:,.0f} MB",
            f"{one.build_seconds:,.0f} s",
        )
    console.print(table)
    if len(found) > MOST_SHOWN:
        console.print(f"--json also prints the other {len(found) - MOST_SHOWN} values.", highlight=False)
    console.print(
        f"now: median of {QUERIES} searches by image, measured for the first {MEASURED} values. then: estimated from "
        "the calibration. index and build are estimates. Copies of the vectors take about as much disk as the index.",
        highlight=False,
    )
    for line in commands(found, logged=logged):
        console.print(line, highlight=False, markup=False)


def commands(found: Sequence[Advice], *, logged: bool) -> list[str]:
    """Return two lines for each field that has a value whose label pays. The first line has the cost and the gain of
    the labels, and the second line has the command that builds them."""
    lines = []
    for field in dict.fromkeys(one.field for one in found):
        paying = [one for one in found if one.field == field and one.pays and (one.searches or not logged)]
        if paying:
            least = min(one.products for one in paying)
            built = [one for one in found if one.field == field and one.products >= least]
            gain = sum(one.searches * ((one.ms_now or 0) - one.ms_label) for one in paying) / 1000
            lines.append(
                f"{field}: {len(built)} labels, {sum(one.index_bytes for one in built) / 2**20:,.0f} MB, "
                f"{sum(one.build_seconds for one in built):,.0f} s to build"
                + (f"; the logged searches would take {gain:,.1f} s less" if logged else "")
            )
            lines.append(f"  windowshop index add --label {shlex.quote(field)} --min-rows {least}")
    return lines or ["No label would make these searches clearly faster."]


def as_json(filters: Filters, found: Sequence[Advice]) -> str:
    labels = [{**asdict(one), "pays": one.pays} for one in found]
    counted = {"searches": filters.searches, "skipped": filters.skipped}
    return json.dumps({**counted, "labels": labels}, indent=2, ensure_ascii=False)
