"""Fits the fusion weights of a model on half of the judged queries (the dev half), and tests them on the other half
(the test half). The weights say how much the rankings by image, by title and by keyword (the legs) count in a search.

A hash of the query decides in which half the query is. So a query is in the same half in every suite, and stays in this
half when judgements are added. Only queries with a text are used, because a search by image alone uses only the image
leg by default.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from sqlalchemy import Connection, text

from db.errors import SettingsError
from db.evaluation.fusion import LegWeights, fit, in_dev_half
from db.evaluation.measure import MeasuredLeg, Progress, Serving, Task, leg_lists
from db.evaluation.metrics import NDCG_DEPTH, Interval, Values, bootstrap

DEPTH = 50  # number of products in each leg's list, as in a search for 10 results
FEWEST = 10  # each half must have at least this many queries
METRIC = f"nDCG@{NDCG_DEPTH}"


@dataclass(frozen=True, slots=True)
class Fitted:
    weights: LegWeights
    ndcg: float  # mean nDCG@10 on the dev half
    dev: int  # the number of queries in the dev half
    test: int  # the number of queries in the test half


@dataclass(frozen=True, slots=True)
class HeldOutResult:
    """The mean nDCG@10 of all legs together (the hybrid) and of each leg alone, over the queries of a group in the test
    half."""

    what: str  # the name of the group
    queries: int  # the number of these queries
    hybrid: Interval
    legs: dict[str, Interval] = field(default_factory=dict)
    over: dict[str, Interval] = field(default_factory=dict)  # by leg: nDCG@10 of the hybrid minus nDCG@10 of the leg

    @property
    def best_leg(self) -> str:
        return max(self.legs, key=lambda leg: self.legs[leg].value)


def fit_weights(
    conn: Connection, tasks: Sequence[Task], on_progress: Progress = lambda: None, trial_of: str | None = None
) -> Fitted:
    """Fit weights on the dev half. All queries of `tasks` must have a text.

    With `trial_of`, the searches use the model of this name as if it were serving. Otherwise they use the serving
    model. Raises SettingsError when a half has too few queries.
    """
    halves = [in_dev_half(query.query_id) for task in tasks for query in task.queries]
    dev, test = sum(halves), len(halves) - sum(halves)
    if min(dev, test) < FEWEST:
        raise SettingsError(
            f"the {len(halves)} queries with a text are split into halves of {dev} and {test}; for meaningful "
            f"weights, each half needs at least {FEWEST} queries",
            hint="Judge more queries.",
        )
    cases = [case for task in tasks for _, case in leg_lists(conn, _half(task), DEPTH, on_progress, trial_of)]
    return Fitted(*fit(cases), dev, test)


def dev_queries(tasks: Sequence[Task]) -> int:
    """Return how many times `fit_weights` will report progress."""
    return sum(len(_half(task).queries) for task in tasks)


def on_test_half(measured: Sequence[MeasuredLeg]) -> list[HeldOutResult]:
    """Return a result for each group: the queries of one suite, catalog, kind and filter. If there are several
    groups, also return a result for all queries together."""
    values = test_values(measured)
    rows = [compare_with_legs(what, mine) for what, mine in values.items()]
    return [*rows, compare_with_legs("together", joined(list(values.values())))] if len(rows) > 1 else rows


def test_values(measured: Sequence[MeasuredLeg]) -> dict[str, dict[str, Values]]:
    """Return the nDCG@10 of each query of the test half, by the name of the group and by leg."""
    several = len({leg.task.catalog for leg in measured}) > 1
    values: dict[str, dict[str, Values]] = {}
    for leg in measured:
        what = f"{leg.task.suite}{f' ({leg.task.catalog})' if several else ''}: {leg.task.kind}"
        if leg.task.filter is not None:
            what += f", {json.dumps(leg.task.filter, ensure_ascii=False)}"
        test = np.array([not in_dev_half(query.query_id) for query in leg.task.queries])
        values.setdefault(what, {})[leg.leg] = leg.column(METRIC)[test]
    return values


def joined(values: Sequence[dict[str, Values]]) -> dict[str, Values]:
    """Join the values of several groups of queries. A leg is dropped if any group lacks it."""
    return {
        leg: np.concatenate([each[leg] for each in values]) for leg in values[0] if all(leg in each for each in values)
    }


def store(
    conn: Connection, model: Serving, suites: Sequence[str], fitted: Fitted, tested: Sequence[HeldOutResult]
) -> None:
    """Store the fitted weights, which become the default weights of searches with `model`.

    `conn` belongs to the role app, and the caller commits.
    """
    whole = tested[-1]
    detail = {
        "suites": list(suites),
        "queries": {"dev": fitted.dev, "test": fitted.test},
        "dev_ndcg": fitted.ndcg,
        "test_ndcg": asdict(whole.hybrid),
        "best_leg": whole.best_leg,
        "best_leg_ndcg": asdict(whole.legs[whole.best_leg]),
        "over_best_leg": asdict(whole.over[whole.best_leg]),
        "before": asdict(model.weights),
    }
    conn.execute(
        text(
            "insert into shop.tuning (model_id, name, value, detail) values (:model_id, :name, :value, "
            "cast(:detail as jsonb)) on conflict (model_id, name) do update set value = excluded.value, "
            "fitted_at = excluded.fitted_at, detail = excluded.detail"
        ),
        [
            {"model_id": model.model_id, "name": name, "value": value, "detail": json.dumps(detail)}
            for name, value in fitted.weights.as_tuning().items()
        ],
    )


def _half(task: Task) -> Task:
    return replace(task, queries=[query for query in task.queries if in_dev_half(query.query_id)])


def compare_with_legs(what: str, values: dict[str, Values]) -> HeldOutResult:
    """Compare the hybrid with each leg. `values` has the nDCG@10 of each query, by leg."""
    legs = [leg for leg in values if leg != "hybrid"]
    hybrid = values["hybrid"]
    if not len(hybrid):
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return HeldOutResult(what, 0, nothing, dict.fromkeys(legs, nothing), dict.fromkeys(legs, nothing))
    averages = bootstrap(np.column_stack([hybrid, *(values[leg] for leg in legs)]))
    differences = bootstrap(np.column_stack([hybrid - values[leg] for leg in legs]))
    return HeldOutResult(
        what,
        len(hybrid),
        averages[0],
        dict(zip(legs, averages[1:], strict=True)),
        dict(zip(legs, differences, strict=True)),
    )
