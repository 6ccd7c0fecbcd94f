"""Draws latency against the share of products that match, from the figures in results/search_filtered.json."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.support.report import RESULTS

TARGET = 0.98
PANELS = {"own": "a filter on the query's own category", "other": "a filter on another category"}
# The name of a strategy in the results -> the label, colour and width of its line
LINES = {
    "planner, iterative": ("pgvector, planner's choice", "#c0392b", 1.6),
    "hnswlib": ("hnswlib, filter function", "#8e8e93", 1.3),
    "faiss HNSW": ("faiss HNSW, id selector", "#b08d57", 1.3),
    "LanceDB": ("LanceDB, prefilter", "#5b8fb9", 1.3),
    "oracle": ("best forced plan", "#9fd3b0", 4.0),
    "shop.search": ("shop.search", "#14813f", 2.2),
}


def draw(folder: Path = RESULTS, kind: str = "text") -> Path | None:
    """Draw the chart. A point is filled if the recall@10 is at least .98 and no answer has too few rows. Returns the
    path of the chart, or None if matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        print('No chart is drawn, because matplotlib is not installed (pip install "windowshop[bench]")')
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    kept = json.loads((folder / "search_filtered.json").read_text())["raw"]
    pyplot.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(10.5, 4.4), sharey=True, facecolor="white")
    for panel, (family, title) in zip(panels, PANELS.items(), strict=True):
        cells = [cell for cell in kept["cells"] if (cell["family"], cell["kind"]) == (family, kind)]
        for name, (label, colour, width) in LINES.items():
            points = [(cell["share"] * 100, found) for cell in cells if (found := _found(cell, name))]
            if points:
                _line(panel, points, label, colour, width)
        panel.set(xscale="log", yscale="log", title=title, xlabel="products that match, %")
        shares = [cell["share"] * 100 for cell in cells]
        panel.set_xticks(shares, [f"{share:g}" for share in shares])
        panel.minorticks_off()
        panel.grid(axis="y", color="#e8e8e8", linewidth=0.8)
        panel.set_axisbelow(True)
    panels[0].set_ylabel("p50, ms")
    ticks = [0.1, 0.3, 1, 3, 10, 30, 100]
    panels[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle(
        f"Ten nearest of {kept['rows']:,} products; filled: recall@10 >= {TARGET} and every answer complete; "
        "hollow: otherwise",
        fontsize=11,
    )
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    path = folder / "search_filtered.png"
    figure.savefig(path, dpi=160)
    pyplot.close(figure)
    return path


def _found(cell: dict[str, Any], name: str) -> Any:
    return cell["oracle"] if name == "oracle" else cell["figures"].get(name)


def _line(panel: Any, points: Sequence[tuple[float, dict[str, Any]]], label: str, colour: str, width: float) -> None:
    shares, times = [share for share, _ in points], [found["p50"] for _, found in points]
    panel.plot(shares, times, color=colour, linewidth=width, label=label, solid_capstyle="round")
    for share, found in points:
        good = found["short"] == 0 and found["recall"] >= TARGET
        panel.plot(share, found["p50"], "o", color=colour, markersize=5, markerfacecolor=colour if good else "white")
