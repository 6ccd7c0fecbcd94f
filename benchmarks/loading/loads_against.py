"""Compares how long two versions of Windowshop take to load the same feed.

In each round, both versions load the feed twice. The first load goes into an empty database, and builds the indexes of
products at its end. The second load goes into a second catalog, with the indexes in place. The version that begins a
round alternates.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.loading.generated_feed import write_feed
from benchmarks.search.against import output
from benchmarks.support.report import Line, keep

ROUNDS = 3
LIMIT = 1.15  # largest allowed ratio of this version's time to the other version's time


def run(other_python: Path, rows: int) -> None:
    versions = {"this": Path(sys.executable), "other": other_python}
    seconds: dict[str, dict[str, list[float]]] = {
        what: {name: [] for name in versions} for what in ("an empty database", "a second catalog")
    }
    with tempfile.TemporaryDirectory(prefix="windowshop-loads-") as folder:
        Path(folder).chmod(0o755)  # the server's user reads the home folders
        feed = Path(folder) / "feed.tsv"
        write_feed(feed, rows)
        for turn in range(ROUNDS):
            order = sorted(versions, reverse=turn % 2 == 0)
            homes = {name: Path(folder) / f"{name}-{turn}" for name in order}
            for name in order:
                homes[name].mkdir()
                output(versions[name], homes[name], "db", "upgrade")
            try:
                for what, catalog in zip(seconds, ("main", "beside"), strict=True):
                    for name in order:
                        began = time.perf_counter()
                        output(versions[name], homes[name], "load", str(feed), "--catalog", catalog)
                        seconds[what][name].append(time.perf_counter() - began)
            finally:
                for name in order:
                    output(versions[name], homes[name], "db", "stop", "--force")
    keep(
        "against_loads",
        f"This version against another version, loads of {rows:,} rows, {ROUNDS} rounds",
        [_line(what, taken["this"], taken["other"]) for what, taken in seconds.items()],
        {"rows": rows, "seconds": seconds},
    )


def _line(what: str, this: list[float], other: list[float]) -> Line:
    ratio = statistics.median(mine / theirs for mine, theirs in zip(this, other, strict=True))
    return Line(
        f"{what}: median seconds of this version, of the other version, ratio",
        f"{statistics.median(this):.1f} s, {statistics.median(other):.1f} s, {ratio:.3f}",
        f"at most {LIMIT}",
        ratio <= LIMIT,
    )
