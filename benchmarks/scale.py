"""Computes what catalogs of a million to a billion products need, and compares the computation with measured catalogs.

Sizes of HNSW indexes, their parameters and the memory for a build are those of `windowshop index status`
(db/lifecycle/sizing.py). The constants below were fitted to kept results. `write` puts the tables into docs/scale.md
and draws the chart; a test compares the page with `tables`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import NamedTuple

from benchmarks.support.report import RESULTS, Table, markdown
from db.lifecycle.sizing import Suitable, hnsw_bytes, suitable

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
SIZES = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)  # products, with one image each
DIMENSION = 512
GB = 1 << 30

# Bytes of a product's row and its indexes without vectors. SHORT_PRODUCT is for the short generated texts of the search
# benchmark. PRODUCT is for the generated feed of the load benchmark, whose rows are about as long as those of a shop's
# feed.
SHORT_PRODUCT, PRODUCT = 1_130, 2_520
IMAGE = 160  # bytes of an image's row and its indexes
KEY = 50  # bytes of a vector's entry in the index of the primary key

# One core needs BUILD_MS milliseconds for each vector to build an HNSW index of BUILD_ROWS vectors, with m 16 and
# ef_construction 64. The time for a vector grows with the number of vectors and with the product of the two parameters.
BUILD_MS, BUILD_ROWS, BUILD_GROWTH, BUILD_EFFORT = 0.40, 100_000, 0.08, 1.4

SEARCH_MS, SEARCH_ROWS, SEARCH_GROWTH = 34.4, 1_000_000, 0.43  # three legs without a filter, on one core

# Images a second, end to end: the starter model in ONNX Runtime on two cores (encoding.md), and CLIP ViT-B/32 on an
# H100 with 16 cores (images_nvidia_h100_80gb_hbm3_500.md).
CPU_IMAGES, GPU_IMAGES = 118, 1_939

# A database server has CORES cores, of which the share BUSY may be busy. shared_buffers may take the share SHARED of
# MEMORY; this is the limit that PostgreSQL's documentation gives.
CORES, BUSY, MEMORY, SHARED = 16, 0.7, 256 * GB, 0.4


class Measured(NamedTuple):
    """A measured index over vectors of 512 numbers. A figure that was not measured is None."""

    rows: int
    m: int
    ef_construction: int
    size: int | None  # bytes
    seconds: float | None  # of a build by one core


MEASURED = (
    Measured(5_000, 16, 64, 6_840_320, None),
    Measured(10_000, 16, 64, 13_672_448, None),
    Measured(20_000, 16, 64, 27_328_512, None),
    Measured(25_000, 16, 64, None, 8.1),
    Measured(50_000, 16, 64, 68_296_704, None),
    Measured(100_000, 16, 64, 136_577_024, 43.4),
    Measured(400_000, 16, 64, None, 162),
    Measured(1_000_000, 16, 64, None, 460),
    Measured(1_000_000, 24, 128, 1_638_408_192, 2_311),
)
# Number of products, and p50 in ms (mixed words in search_hybrid*.md; the index of a million products has m 24).
MEASURED_MS = ((100_000, 12.7), (1_000_000, 34.4))
# Number of products with short texts, and bytes of all tables and of all indexes but HNSW.
MEASURED_TABLES = (1_000_000, 3_719_000_000)


@dataclass(frozen=True)
class Estimate:
    """What a catalog needs. Sizes are in bytes."""

    products: int
    suits: Suitable
    bits: int  # size of the two vector indexes if they are indexes over bits
    tables: int  # all tables, and all indexes but HNSW
    build_hours: float  # of one core, for both HNSW indexes
    cpu_hours: float  # to encode the images with two cores
    gpu_hours: float
    search_ms: float  # of one core, for a search with three legs

    def servers(self, searches: float) -> int:
        """Return how many database servers are needed for `searches` a second. Each has a copy of all indexes."""
        return ceil(searches * self.search_ms / 1000 / (CORES * BUSY))

    @property
    def shards(self) -> int:
        """The number of servers among which the catalog must be divided, so that shared_buffers takes at most the
        share SHARED of each server's memory."""
        return ceil(self.suits.shared_buffers / (SHARED * MEMORY))


def estimate(products: int, dimension: int = DIMENSION) -> Estimate:
    """Return what a catalog with one image and one title for each product needs."""
    suits = suitable(products, products, dimension)
    return Estimate(
        products,
        suits,
        suits.bit_index_bytes,
        table_bytes(products, dimension),
        2 * build_seconds(products, suits.m, suits.ef_construction) / 3600,
        products / CPU_IMAGES / 3600,
        products / GPU_IMAGES / 3600,
        search_ms(products),
    )


def table_bytes(products: int, dimension: int = DIMENSION, product: int = PRODUCT) -> int:
    """Return the size of all tables and of all indexes but HNSW. A page of 8 KiB holds only whole vectors."""
    vector = 8192 / (8168 // (2 * dimension + 104)) + KEY
    return round(products * (product + IMAGE + 2 * vector))


def build_seconds(vectors: int, m: int, ef_construction: int) -> float:
    """Return how many seconds one core takes to build an HNSW index whose graph fits into maintenance_work_mem."""
    effort: float = (m * ef_construction / (16 * 64)) ** BUILD_EFFORT
    growth: float = (vectors / BUILD_ROWS) ** BUILD_GROWTH
    return vectors * BUILD_MS / 1000 * effort * growth


def search_ms(products: int) -> float:
    growth: float = (products / SEARCH_ROWS) ** SEARCH_GROWTH
    return SEARCH_MS * growth


def tables() -> dict[str, Table]:
    """Return the tables of the page by their names."""
    found = [estimate(size) for size in SIZES]
    header = ("", *(f"{one.products:,}" for one in found))
    needs = {
        "`m`, `ef_construction`": [f"{one.suits.m}, {one.suits.ef_construction}" for one in found],
        "HNSW indexes of images and titles": [_size(one.suits.index_bytes) for one in found],
        "the same over bits": [_size(one.bits) for one in found],
        "tables and other indexes": [_size(one.tables) for one in found],
        "`shared_buffers`": [_size(one.suits.shared_buffers) for one in found],
        "`maintenance_work_mem` of a build": [_size(one.suits.maintenance_work_mem) for one in found],
        "build of both HNSW indexes, core-hours": [_hours(one.build_hours) for one in found],
        "images on two CPU cores, hours": [_hours(one.cpu_hours) for one in found],
        "images on one H100 with 16 cores, hours": [_hours(one.gpu_hours) for one in found],
        "a search with three legs, ms of one core": [f"{one.search_ms:,.0f}" for one in found],
        "servers for 100 searches a second": [f"{one.servers(100):,}" for one in found],
        "shards of 256 GB": [f"{one.shards:,}" for one in found],
    }
    return {
        "needs": Table("", header, [[name, *values] for name, values in needs.items()]),
        "checked": Table(
            "",
            ("vectors", "`m`, `ef_construction`", "size, measured / computed", "build, measured / computed"),
            [
                [
                    f"{one.rows:,}",
                    f"{one.m}, {one.ef_construction}",
                    _pair(one.size, hnsw_bytes(one.rows, DIMENSION, one.m), 1e6, "MB"),
                    _pair(one.seconds, build_seconds(one.rows, one.m, one.ef_construction), 1, "s"),
                ]
                for one in MEASURED
            ],
        ),
    }


def write() -> None:
    """Put the tables into the page, and draw the chart."""
    page = PAGE.read_text(encoding="utf-8")
    for name, table in tables().items():
        before, rest = page.split(f"<!-- made by python -m benchmarks scale: {name} -->\n", 1)
        after = rest.partition("<!-- end -->")[2]
        made = "\n".join(markdown(table))
        page = f"{before}<!-- made by python -m benchmarks scale: {name} -->\n\n{made}\n\n<!-- end -->{after}"
    PAGE.write_text(page, encoding="utf-8")
    draw()


def draw(path: Path = RESULTS / "scale.png") -> None:
    """Draw the computed size and build time of an index, with the measured points."""
    try:
        import matplotlib
    except ImportError:
        print('No chart is drawn, because matplotlib is not installed (pip install "windowshop[bench]")')
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (sizes, times) = pyplot.subplots(1, 2, figsize=(10.5, 4.2), facecolor="white")
    rows = [round(5_000 * 10 ** (step / 8)) for step in range(43)]
    suits = [suitable(each, each, DIMENSION) for each in rows]
    sizes.plot(rows, [each.index_bytes / 2 / GB for each in suits], color="#14813f", label="over vectors (HNSW)")
    sizes.plot(rows, [each.bit_index_bytes / 2 / GB for each in suits], color="#5b8fb9", label="over bits (IVFFlat)")
    _points(sizes, [(one.rows, one.size / GB) for one in MEASURED if one.size])
    sizes.set(title="an index of 512 numbers, GB", xlabel="vectors", xscale="log", yscale="log")
    for m, ef_construction, colour in ((16, 64, "#14813f"), (24, 128, "#b08d57"), (32, 200, "#c0392b")):
        computed = [build_seconds(each, m, ef_construction) / 3600 for each in rows]
        times.plot(rows, computed, color=colour, label=f"m {m}, ef_construction {ef_construction}")
    _points(times, [(one.rows, one.seconds / 3600) for one in MEASURED if one.seconds])
    times.set(title="its build, core-hours", xlabel="vectors", xscale="log", yscale="log")
    for panel in (sizes, times):
        panel.grid(color="#e8e8e8", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=140)
    pyplot.close(figure)


def _points(panel: object, points: Sequence[tuple[int, float]]) -> None:
    panel.plot(*zip(*points, strict=True), "o", color="#333333", markersize=4, label="measured")  # type: ignore[attr-defined]


def _size(size: float) -> str:
    gigabytes = size / GB
    return f"{gigabytes / 1024:,.1f} TB" if gigabytes >= 1024 else f"{gigabytes:,.3g} GB"


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"


def _pair(measured: float | None, computed: float, unit: float, name: str) -> str:
    return "" if measured is None else f"{measured / unit:,.4g} / {computed / unit:,.4g} {name}"
