"""Prints evaluations as tables, and returns them as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from db.evaluation.fitting import Fitted, HeldOutResult
from db.evaluation.history import Comparison
from db.evaluation.measure import MeasuredLeg, Serving, Task
from db.evaluation.metrics import NDCG_DEPTH, Interval, bootstrap


def print_measured(console: Console, measured: Sequence[MeasuredLeg], model: Serving) -> None:
    console.print(f"model {model.model}, revision {model.revision}", highlight=False)
    for task in {id(leg.task): leg.task for leg in measured}.values():
        _print_task(console, task)
        legs = [leg for leg in measured if leg.task is task]
        metrics = list(dict.fromkeys(name for leg in legs for name in leg.metrics))
        table = _table("direction", *metrics)
        for leg in legs:
            averages = dict(zip(leg.metrics, bootstrap(leg.values), strict=True))
            table.add_row(leg.direction, *(_interval(averages.get(name)) for name in metrics))
        console.print(table)
        routes = (f"{leg.direction} {_routes(leg)}" for leg in legs if leg.leg != "keyword")
        console.print(f"Answered by: {'; '.join(routes)}.", highlight=False, markup=False)
    depth = max(measured[0].k, NDCG_DEPTH)
    note = f"MRR counts the first {depth} results. [low, high] holds 95 % of the means of bootstrap samples."
    hybrid = next((leg for leg in measured if leg.leg == "hybrid"), None)
    if hybrid:
        weights = ", ".join(f"{leg} {weight:g}" for leg, weight in hybrid.setting["weights"].items())
        note += f" Weights of the hybrid: {weights}."
    console.print(note, highlight=False, markup=False)


def print_left_out(tasks: Sequence[Task]) -> None:
    """Print on stderr how many queries are not measured, so that JSON on stdout stays valid."""
    console = Console(stderr=True)
    for task in tasks:
        if task.left_out:
            console.print(
                f"{task.suite}, {task.kind} queries{_under(task)}: {task.left_out} are not measured, because catalog "
                f"{task.catalog} lacks their relevant products or the encoded image of the query",
                highlight=False,
                markup=False,
            )


def print_fitted(console: Console, fitted: Fitted, tested: Sequence[HeldOutResult]) -> None:
    console.print(
        f"Weights fitted on {fitted.dev} queries: {fitted.weights} (nDCG@10 on these queries: {fitted.ndcg:.3f}). "
        f"Results on the other {fitted.test} queries:",
        highlight=False,
    )
    table = _table("test half", "leg", "nDCG@10", "hybrid - leg")
    for row in tested:
        table.add_row(f"{row.what}, {row.queries}", "hybrid", _interval(row.hybrid), "")
        for leg, alone in row.legs.items():
            table.add_row("", leg, _interval(alone), _interval(row.over[leg], signed=True))
    console.print(table)
    for row in tested:
        if row.over and row.over[row.best_leg].high < 0:
            console.print(
                f"{row.what}: {row.best_leg} alone is better than the hybrid.", style="yellow", highlight=False
            )


def print_comparisons(console: Console, run: int, comparisons: Sequence[Comparison]) -> None:
    console.print(
        f"\nThis run minus run {run}, query by query. If an interval does not contain 0, the runs differ.",
        highlight=False,
    )
    for task in {id(one.measured.task): one.measured.task for one in comparisons}.values():
        _print_task(console, task)
        mine = [one for one in comparisons if one.measured.task is task]
        metrics = list(dict.fromkeys(one.metric for one in mine))
        table = _table("direction", *metrics)
        for direction in dict.fromkeys(one.measured.direction for one in mine):
            differences = {one.metric: one.difference for one in mine if one.measured.direction == direction}
            table.add_row(direction, *(_interval(differences.get(name), signed=True) for name in metrics))
        console.print(table)


def _print_task(console: Console, task: Task) -> None:
    passes = "" if task.selectivity is None else f", which {task.selectivity:.2%} of the products pass"
    named = f"suite {task.suite}, catalog {task.catalog}: {len(task.queries)} {task.kind} queries{_under(task)}{passes}"
    console.print(f"\n{named}", highlight=False, markup=False)


def as_json(
    run: int | None, measured: Sequence[MeasuredLeg], model: Serving, against: int | None,
    comparisons: Sequence[Comparison], fitted: Fitted | None, tested: Sequence[HeldOutResult],
) -> str:  # fmt: skip
    document: dict[str, Any] = {
        "run": run,
        "model": model.model,
        "revision": model.revision,
        "results": [
            {
                **_named(leg),
                "selectivity": leg.task.selectivity,
                "queries": len(leg.task.queries),
                "left_out": leg.task.left_out,
                "k": leg.k,
                "setting": leg.setting,
                "metrics": {n: asdict(one) for n, one in zip(leg.metrics, bootstrap(leg.values), strict=True)},
            }
            for leg in measured
        ],
    }
    if against is not None:
        document["against"] = against
        document["differences"] = [
            {**_named(one.measured), "metric": one.metric, **asdict(one.difference)} for one in comparisons
        ]
    if fitted is not None:
        document["fitted"] = asdict(fitted)
        document["test_half"] = [asdict(row) | {"best_leg": row.best_leg} for row in tested]
    return json.dumps(document, indent=2)


def _named(leg: MeasuredLeg) -> dict[str, Any]:
    task = leg.task
    return {"suite": task.suite, "catalog": task.catalog, "direction": leg.direction, "filter": task.filter}


def _routes(leg: MeasuredLeg) -> str:
    return ", ".join(f"{route} {times}" for route, times in leg.setting["routes"].items())


def _table(*columns: str) -> Table:
    """Return a table. In a narrow terminal, a cell breaks between its figure and the interval of the figure."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(columns):
        longest_word = max(map(len, name.split()))
        table.add_column(name, no_wrap=number == 0, overflow="fold", min_width=longest_word)
    return table


def _under(task: Task) -> str:
    return "" if task.filter is None else f", filter {json.dumps(task.filter)}"


def _interval(one: Interval | None, *, signed: bool = False) -> str:
    if one is None or math.isnan(one.value):
        return ""
    sign = "+" if signed else ""
    value, low, high = (f"{number:{sign}.3f}".replace("0.", ".", 1) for number in (one.value, one.low, one.high))
    return f"{value} \\[{low}, {high}]"  # a narrow cell breaks at the blanks
