"""Stores a run of measurements as rows of shop.evaluation, finds a stored run, and compares two runs query by query."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text

from db.errors import SettingsError, StatementRefused
from db.evaluation.asking import Filter
from db.evaluation.measure import MeasuredLeg, Serving, Task
from db.evaluation.metrics import Interval, bootstrap


@dataclass(frozen=True, slots=True)
class StoredLeg:
    """A row of shop.evaluation."""

    evaluation_id: int
    suite: str
    catalog: str
    direction: str
    filter: Filter | None
    yardstick: str
    queries: int
    k: int
    model: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean difference of a metric over the same queries: the new value minus the stored value."""

    measured: MeasuredLeg
    metric: str
    difference: Interval


def check_may_keep(conn: Connection) -> None:
    """Raise StatementRefused if this login may not store evaluations. Call this before the long measurement."""
    if not conn.scalar(text("select has_table_privilege('shop.evaluation', 'insert')")):
        raise StatementRefused(
            "this login may not store evaluations", hint="Use a database address whose login has the role app."
        )


def keep(conn: Connection, measured: Sequence[MeasuredLeg], model: Serving) -> int:
    """Store a run and return its number. `conn` belongs to the role app, and the caller commits."""
    # Two runs that end at the same time get different numbers, because the second run waits for this lock.
    conn.execute(text("lock table shop.evaluation in share row exclusive mode"))
    run = int(conn.scalar(text("select coalesce(max(run), 0) + 1 from shop.evaluation")) or 1)
    for leg in measured:
        averages = zip(leg.metrics, bootstrap(leg.values), strict=True)
        evaluation_id = conn.scalar(
            text(
                "insert into shop.evaluation (run, suite, direction, catalog, model, revision, setting, selectivity, "
                "queries, yardstick, k, metrics) values (:run, :suite, :direction, :catalog, :model, :revision, "
                "cast(:setting as jsonb), :selectivity, :queries, :yardstick, :k, cast(:metrics as jsonb)) "
                "returning evaluation_id"
            ),
            {
                "run": run, "suite": leg.task.suite, "direction": leg.direction, "catalog": leg.task.catalog,
                "model": model.model, "revision": model.revision, "setting": json.dumps(leg.setting),
                "selectivity": leg.task.selectivity, "queries": len(leg.task.queries),
                "yardstick": leg.task.yardstick, "k": leg.k,
                "metrics": json.dumps({
                    name: {"value": one.value, "low": one.low, "high": one.high} for name, one in averages
                }),
            },
        )  # fmt: skip
        conn.execute(
            text(
                "insert into shop.evaluation_query (evaluation_id, query_id, query, results, metrics) "
                "values (:evaluation_id, :query_id, :query, :results, cast(:metrics as jsonb))"
            ),
            [
                {
                    "evaluation_id": evaluation_id,
                    "query_id": query.query_id,
                    "query": query.label,
                    "results": list(results),
                    "metrics": json.dumps(dict(zip(leg.metrics, map(float, values), strict=True))),
                }
                for query, results, values in zip(leg.task.queries, leg.results, leg.values, strict=True)
            ],
        )
    return run


def find(conn: Connection, against: str, tasks: Sequence[Task]) -> tuple[int, list[StoredLeg]]:
    """Return the number and the rows of the stored run `against`, which is a number or "last".

    "last" stands for the newest run that measured a suite of the tasks and is no trial. Raises SettingsError if there
    is no such run, or if `against` is neither a number nor "last".
    """
    suites = sorted({task.suite for task in tasks})
    if against == "last":
        run = conn.scalar(
            text("select max(run) from shop.evaluation where suite = any (:suites) and not setting ? 'trial'"),
            {"suites": suites},
        )
        if run is None:
            raise SettingsError(
                f"no earlier run has measured {' or '.join(suites)}", hint="Measure the first run without --against."
            )
    elif against.isdecimal():
        run = int(against)
    else:
        raise SettingsError(f'--against "{against}" is neither the number of a run nor "last"')
    rows = conn.execute(
        text(
            "select evaluation_id, suite, catalog, direction, setting -> 'filter', yardstick, queries, k, model "
            "from shop.evaluation where run = :run order by evaluation_id"
        ),
        {"run": run},
    )
    stored = [StoredLeg(*row) for row in rows]
    if not stored:
        known = conn.scalars(text("select distinct run from shop.evaluation order by run desc limit 10")).all()
        raise SettingsError(
            f"there is no run {run}", hint=f"The newest runs: {', '.join(map(str, known)) or 'none yet'}."
        )
    return run, stored


def check_comparable(run: int, stored: Sequence[StoredLeg], tasks: Sequence[Task], k: int) -> None:
    """Raise SettingsError if the tasks cannot be compared with `run`."""
    for task in tasks:
        what = _described(task.suite, task.kind, task.catalog, task.filter)
        same = [one for one in stored if _measures(one, task)]
        if not same:
            has = sorted({_described(one.suite, _kind(one), one.catalog, one.filter) for one in stored})
            raise SettingsError(f"run {run} has not measured {what}", hint=f"Run {run} measured: {'; '.join(has)}.")
        if same[0].yardstick != task.yardstick:
            then, now = same[0].queries, len(task.queries)
            change = f"{then} queries then, {now} now" if then != now else "other queries, grades or products"
            raise SettingsError(
                f"run {run} used other judgements for {what}: {change}",
                hint="The difference would mean nothing. Measure without --against, and compare later runs with "
                "the new run.",
            )
        if same[0].k != k:
            raise SettingsError(
                f"run {run} was measured at k {same[0].k}, this run at {k}", hint=f"Give --k {same[0].k}."
            )


def compare(conn: Connection, stored: Sequence[StoredLeg], measured: Sequence[MeasuredLeg]) -> list[Comparison]:
    """Compare the metrics query by query, with bootstrap intervals. Skips directions and metrics that only one run has.

    The caller has checked with `check_comparable` that the runs can be compared.
    """
    comparisons = []
    for leg in measured:
        then = next((one for one in stored if one.direction == leg.direction and _measures(one, leg.task)), None)
        if then is None:
            continue
        rows = conn.execute(
            text("select query_id, metrics from shop.evaluation_query where evaluation_id = :id"),
            {"id": then.evaluation_id},
        )
        before: dict[UUID, dict[str, float]] = {row.query_id: row.metrics for row in rows}
        shared = [name for name in leg.metrics if all(name in metrics for metrics in before.values())]
        differences = np.array(
            [
                [float(leg.column(name)[n]) - before[query.query_id][name] for name in shared]
                for n, query in enumerate(leg.task.queries)
            ]
        )
        comparisons += [
            Comparison(leg, name, difference) for name, difference in zip(shared, bootstrap(differences), strict=True)
        ]
    return comparisons


def _measures(stored: StoredLeg, task: Task) -> bool:
    return (stored.suite, stored.catalog, _kind(stored), stored.filter) == (
        task.suite, task.catalog, task.kind, task.filter,
    )  # fmt: skip


def _kind(stored: StoredLeg) -> str:
    return stored.direction.split("->")[0]


def _described(suite: str, kind: str, catalog: str, condition: Filter | None) -> str:
    filtered = "without a filter" if condition is None else f"filter {json.dumps(condition)}"
    return f"suite {suite}, {kind} queries, catalog {catalog}, {filtered}"
