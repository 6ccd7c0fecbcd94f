"""Measures two models with the same queries: one that does not serve, and the serving model, its rival. The searches
are exact: they compare all vectors, without an index."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.engine import Database
from db.errors import SettingsError
from db.evaluation import fitting, history, judgements, measure
from db.evaluation.fitting import Fitted, HeldOutResult
from db.evaluation.history import Comparison
from db.evaluation.measure import MeasuredLeg, MeasureOptions, Serving, Task
from db.evaluation.run import ShowProgress, fit_weights
from db.roles import Role


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a trial against the serving model, the rival.

    `comparisons` hold the metrics of the model minus the metrics of the rival.
    """

    model: Serving
    rival: Serving
    run: int
    rival_run: int
    measured: list[MeasuredLeg]
    rival_measured: list[MeasuredLeg]
    comparisons: list[Comparison]
    fitted: Fitted | None
    tested: list[HeldOutResult]


def prepare(conn: Connection, name: str, suites: Sequence[str]) -> tuple[Serving, Serving, list[Task]]:
    """Return the model, its rival, and the tasks for both.

    Raises DatabaseError or SettingsError when there is nothing to compare.
    """
    rival = measure.serving(conn)
    model = measure.as_if_serving(conn, name)
    if model.model_id == rival.model_id:
        raise SettingsError(f"model {name} is serving", hint='Measure it with "windowshop evaluate".')
    return model, rival, measure.prepare(conn, judgements.read(conn, suites))


def run(
    database: Database,
    conn: Connection,
    model: Serving,
    rival: Serving,
    tasks: Sequence[Task],
    *,
    k: int,
    fit: bool,
    progress: ShowProgress,
) -> Trial:
    """Measure both models and store a run of each; the rival's run has the higher number. With `fit`, also fit weights
    for the model and store them.

    `conn` belongs to the role app, in autocommit mode.
    """
    fitted = fit_weights(conn, tasks, progress, trial_of=model.model) if fit else None
    measured: list[MeasuredLeg] = []
    rival_measured: list[MeasuredLeg] = []
    with progress("Searching", 2 * measure.count(tasks)) as step:
        for task in tasks:
            weights = fitted.weights if fitted and task.has_text else None
            how = MeasureOptions(k, weights, "exact", index_recall=False, trial=True)
            measured += measure.measure(conn, task, model, how, step)
            rival_measured += measure.measure(
                conn, task, rival, MeasureOptions(k, None, "exact", index_recall=False, trial=True), step
            )
    tested = fitting.on_test_half([leg for leg in measured if leg.task.has_text]) if fitted else []
    with database.connect(Role.APP) as writing, writing.begin():
        number = history.keep(writing, measured, model)
        rival_number = history.keep(writing, rival_measured, rival)
        if fitted:
            fitting.store(writing, model, sorted({task.suite for task in tasks}), fitted, tested)
    _, stored = history.find(conn, str(rival_number), tasks)
    comparisons = history.compare(conn, stored, measured)
    return Trial(model, rival, number, rival_number, measured, rival_measured, comparisons, fitted, tested)
