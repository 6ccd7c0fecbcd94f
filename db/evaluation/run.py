"""Runs an evaluation of the serving model, from the judged queries to rows of shop.evaluation."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import Connection

from db.engine import Database
from db.errors import SettingsError
from db.evaluation import fitting, history, judgements, measure
from db.evaluation.asking import Filter
from db.evaluation.fitting import Fitted, HeldOutResult
from db.evaluation.fusion import LegWeights
from db.evaluation.history import Comparison, StoredLeg
from db.evaluation.measure import MeasuredLeg, MeasureOptions, Serving, Task
from db.roles import Role

StepDone = Callable[[], None]
ShowProgress = Callable[[str, int], AbstractContextManager[StepDone]]  # arguments: the activity and its number of steps


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    suites: Sequence[str] = ("default",)
    filters: Sequence[Filter | None] = (None,)
    k: int = 10
    weights: LegWeights | None = None  # the weights of the legs in a search by all legs; None: the default weights
    route: str | None = None
    against: str | None = None  # the number of an earlier run, or "last"
    fit: bool = False
    index_recall: bool = True


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation. `comparisons` hold the metrics of this run minus the metrics of run `against`."""

    run: int
    model: Serving
    measured: list[MeasuredLeg]
    against: int | None
    comparisons: list[Comparison]
    fitted: Fitted | None
    tested: list[HeldOutResult]


def prepare(conn: Connection, options: EvaluationOptions) -> list[Task]:
    """Return every task, including tasks without an answerable query."""
    return measure.prepare(conn, judgements.read(conn, options.suites), options.filters)


def answerable(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks that have queries. Raises SettingsError when no task has a query."""
    kept = [task for task in tasks if task.queries]
    if not kept:
        suites = ", ".join(sorted({task.suite for task in tasks}))
        raise SettingsError(f"nothing to measure in {suites}", hint="Are the judged products loaded?")
    return kept


def evaluate(
    database: Database, conn: Connection, tasks: Sequence[Task], options: EvaluationOptions, progress: ShowProgress
) -> Evaluation:
    """Fit weights if requested, measure, compare, and store the results.

    `conn` belongs to the role analyst, in autocommit mode. The results are stored on a connection of the role app.
    """
    model = measure.serving(conn)
    earlier = _earlier(conn, tasks, options)
    fitted = fit_weights(conn, tasks, progress) if options.fit else None
    measured: list[MeasuredLeg] = []
    with progress("Searching", measure.count(tasks)) as step:
        for task in tasks:
            weights = fitted.weights if fitted and task.has_text else options.weights
            how = MeasureOptions(options.k, weights, options.route, options.index_recall)
            measured += measure.measure(conn, task, model, how, step)
    against, stored = earlier or (None, [])
    comparisons = history.compare(conn, stored, measured)
    tested = fitting.on_test_half([leg for leg in measured if leg.task.has_text]) if fitted else []
    with database.connect(Role.APP) as writing, writing.begin():
        run = history.keep(writing, measured, model)
        if fitted:
            fitting.store(writing, model, options.suites, fitted, tested)
    return Evaluation(run, model, measured, against, comparisons, fitted, tested)


def fit_weights(conn: Connection, tasks: Sequence[Task], progress: ShowProgress, trial_of: str | None = None) -> Fitted:
    with_text = [task for task in tasks if task.has_text]
    with progress("Fitting weights", fitting.dev_queries(with_text)) as step:
        return fitting.fit_weights(conn, with_text, step, trial_of)


def _earlier(conn: Connection, tasks: Sequence[Task], options: EvaluationOptions) -> tuple[int, list[StoredLeg]] | None:
    """Find the run to compare with, and refuse an unsuitable run before the long measurement begins."""
    if options.against is None:
        return None
    run, stored = history.find(conn, options.against, tasks)
    history.check_comparable(run, stored, tasks, options.k)
    return run, stored
