"""Measures whether search by meaning gives better results than search by words alone, and whether all legs together
(image, title, keywords) give better results than the best single leg.

A split is a set of concepts, such as dog (encoder/starter/training/splits.py). For each split, the head of the starter
model is trained without these concepts. The head is the only part of this model that is trained here. A real encoder
serves the model with this head. The images of the concepts are products in a real database (held_out.py). The code of
`windowshop evaluate --fit` fits the weights of the legs on half of the queries. All figures come from the other half,
the test half. So neither training nor fitting has seen a query of the test half.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.progress import Progress

from benchmarks.relevance import held_out
from benchmarks.relevance.split_site import CACHE, split_site, timed
from benchmarks.support.report import Line, keep
from benchmarks.support.site import Site
from db.evaluation import fitting, judgements
from db.evaluation.fitting import Fitted, HeldOutResult
from db.evaluation.fusion import LEGS
from db.evaluation.measure import MeasureOptions, measure, prepare, serving
from db.evaluation.metrics import Interval, Values
from db.roles import Role
from encoder.starter.training import splits
from encoder.starter.training.fit import Material
from windowshop.output import evaluation as report
from windowshop.starter import gather

WITHIN = 0.01  # in a suite, the nDCG@10 of all legs may be at most this much below that of the best leg


@dataclass(frozen=True)
class Split:
    products: int
    fitted: Fitted
    values: dict[str, dict[str, Values]]  # suite -> leg -> nDCG@10 of each query in the test half
    seconds: dict[str, float]


def run(numbers: Sequence[int] = range(1, splits.COUNT + 1)) -> None:
    with Progress(transient=True) as progress:
        material = gather(CACHE, progress)
    found = [_measure(material, number) for number in numbers]
    pooled = {suite: fitting.joined([split.values[suite] for split in found]) for suite in held_out.SUITES}
    rows = {suite: fitting.compare_with_legs(suite, values) for suite, values in pooled.items()}
    together = fitting.compare_with_legs("both", fitting.joined([pooled[suite] for suite in held_out.FITTED]))
    lines = [line for suite, row in rows.items() for line in _lines(row, held=suite in held_out.FITTED)]
    lines += [
        Line(
            f"semantic and lexical: hybrid - {leg}", _shown(together.over[leg], "+"), "> 0", together.over[leg].low > 0
        )
        for leg in LEGS
    ]
    for number, split in zip(numbers, found, strict=True):
        lines.append(Line(f"split {number}: fitted weights, products", f"{split.fitted.weights}; {split.products}"))
        for suite, values in split.values.items():
            row = fitting.compare_with_legs(suite, values)
            over = _shown(row.over[row.best_leg], "+")
            lines.append(
                Line(f"split {number}, {suite}: hybrid; hybrid - {row.best_leg}", f"{_shown(row.hybrid)}, {over}")
            )
    raw = {
        "pooled": [asdict(row) for row in [*rows.values(), together]],
        "splits": {
            number: {
                "fitted": asdict(split.fitted),
                "products": split.products,
                "seconds": split.seconds,
                "values": {suite: {leg: v.tolist() for leg, v in legs.items()} for suite, legs in split.values.items()},
            }
            for number, split in zip(numbers, found, strict=True)
        },
    }
    title = f"Search on held-out concepts: nDCG@10 [95 % interval], {rows['semantic'].queries} test queries a suite"
    keep("quality", title, lines, raw)


def _lines(row: HeldOutResult, *, held: bool) -> list[Line]:
    over = row.over[row.best_leg]
    goal, met = (f">= -{WITHIN}", over.value >= -WITHIN) if held else ("", None)
    return [
        *(Line(f"{row.what}: {leg} alone", _shown(alone)) for leg, alone in row.legs.items()),
        Line(f"{row.what}: hybrid", _shown(row.hybrid)),
        Line(f"{row.what}: hybrid - {row.best_leg}, its best leg", _shown(over, "+"), goal, met),
    ]


def _shown(one: Interval, sign: str = "") -> str:
    return f"{one.value:{sign}.3f} [{one.low:{sign}.3f} {one.high:{sign}.3f}]"


def _measure(material: Material, number: int) -> Split:
    seconds: dict[str, float] = {}
    with split_site(material, number, seconds) as (measured, products):
        return _evaluate(measured, number, products, seconds)


def _evaluate(measured: Site, number: int, count: int, seconds: dict[str, float]) -> Split:
    console = Console()
    with measured.database.connect(Role.ANALYST) as reading:
        conn = reading.execution_options(isolation_level="AUTOCOMMIT")
        model = serving(conn)
        tasks = prepare(conn, judgements.read(conn, list(held_out.SUITES)))
        with timed(seconds, "fit"):
            fitted = fitting.fit_weights(conn, [task for task in tasks if task.suite in held_out.FITTED])
        with timed(seconds, "evaluate"):
            how = MeasureOptions(weights=fitted.weights, index_recall=False)
            found = [leg for task in tasks for leg in measure(conn, task, model, how)]
        console.print(f"split {number}: {seconds}")
        report.print_measured(console, found, model)
        report.print_fitted(console, fitted, fitting.on_test_half(found))
    suites = [leg.task.suite for leg in found if leg.leg == "hybrid"]
    return Split(count, fitted, dict(zip(suites, fitting.test_values(found).values(), strict=True)), seconds)
