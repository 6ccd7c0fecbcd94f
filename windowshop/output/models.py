"""Prints models and their indexes as tables, and returns models as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table

from db.lifecycle.indexes import IndexState
from db.lifecycle.promotion import Switched
from db.lifecycle.status import ModelStatus, PartCoverage

COUNTS = ("items", "done", "waiting", "leased", "quarantined")


def print_status(
    console: Console, models: Sequence[ModelStatus], exported: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Print a line about each model, with its towers that this machine has exported, and a table that shows how much of
    the catalog the model has encoded."""
    for model in models:
        last = model.evaluation
        judged = (
            "" if last is None else f"; nDCG@10 {last.ndcg['value']:.3f} {last.suite}, {last.direction}, run {last.run}"
        )
        line = f"{model.model}: {model.status}, revision {model.revision[:12]}, {model.dimension} dimensions{judged}"
        if towers := (exported or {}).get(model.model):
            line += f"; exported for ONNX Runtime: {', '.join(towers)}"
        console.print(line, highlight=False, markup=False)
        table = _table("of", *COUNTS, "index")
        for part, covered in model.coverage.items():
            counts = [f"{getattr(covered, count):,}" for count in COUNTS]
            indexes = (
                ", ".join(index.state for index in model.indexes if index.part == part and index.label is None)
                or "none"
            )
            table.add_row(f"{part}s{', about' if covered.counts_are == 'about' else ''}", *counts, indexes)
        if model.coverage:  # a retired model has no coverage
            console.print(table)


def print_indexes(console: Console, indexes: Sequence[IndexState]) -> None:
    table = _table("index", "of", "has", "vectors,\nabout", "size", "m", "ef_con-\nstruction", "state")
    for index in indexes:
        of = f"{index.part}s" if index.label is None else f"{index.part}s, {index.label}"
        has = "bits" if index.quantize == "bit" else "vectors"
        if index.lists is not None:
            has += f",\n{index.lists:,} lists"
        table.add_row(
            index.name, of, has, f"{index.rows:,}", f"{index.size / 2**20:,.1f} MB",
            str(index.m or ""), str(index.ef_construction or ""), index.state,
        )  # fmt: skip
    console.print(table)


def outgrown(indexes: Sequence[IndexState]) -> list[str]:
    """Return a line for each index over bits whose table has grown so much since the build that a rebuild pays."""
    return [
        f"{index.name} was built over {f'about {index.built_over:,}' if index.built_over else 'few'} vectors, and the "
        f'table now has about {index.rows:,}. "windowshop index rebuild --model {index.model}" makes '
        f"{'searches faster' if index.built_over else 'the index smaller'}."
        for index in indexes
        if index.built_over is not None
    ]


def as_json(models: Sequence[ModelStatus], exported: Mapping[str, Sequence[str]]) -> str:
    rows = [{**asdict(model), "exported": list(exported.get(model.model, ()))} for model in models]
    return json.dumps(rows, indent=2, default=str)


def describe(switched: Switched) -> list[str]:
    """Return lines that describe a switch and how to undo the switch."""
    before = switched.before
    lines = [f"Search is served by {switched.now}{'' if before is None else f', which takes the place of {before}'}."]
    lines += [f"Forced, although {reason}." for reason in switched.overruled]
    if switched.coverage:
        lines.append("Encoded: " + ", ".join(_covered(kind, part) for kind, part in switched.coverage.items()) + ".")
    lines += [
        f"Trial, {each.what}: nDCG@10 {each.ndcg:.3f}, {before} {each.rival_ndcg:.3f}; difference {each.shown}."
        for each in switched.comparisons
    ]
    if before is not None:
        lines.append(
            f'To go back to {before}: "windowshop model rollback". Encoders keep the vectors of {before} current '
            f'until "windowshop model retire {before}".'
        )
    return lines


def _covered(kind: str, part: PartCoverage) -> str:
    quarantined = f" ({part.quarantined:,} quarantined)" if part.quarantined else ""
    return f"{part.done:,} of {part.items:,} {kind}s{quarantined}"


def _table(*columns: str) -> Table:
    """Return a table. In a narrow terminal, indexes and states continue on the next line, and figures do not."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=name not in ("index", "of", "state"), overflow="fold")
    return table
