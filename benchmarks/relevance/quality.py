"""Measures whether search by meaning gives better results than search by words alone, and whether all legs together
(image, title, keywords) give better results than the best single leg.

A committed split holds out some of the starter's concepts. For each split, the starter's head is trained without these
concepts, and a real encoder serves it. The images of the concepts are products in a real database (held_out.py). The
code of `windowshop evaluate --fit` fits the fusion weights on half of the queries; all figures are of the other half.
Training saw no image, title or query of the split, and fitting saw no query of the test half.
"""

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import text

from benchmarks.relevance import held_out
from benchmarks.support.report import Line, keep
from benchmarks.support.site import Site, site
from db.catalog.store import staging, upsert
from db.evaluation import fitting, judgements
from db.evaluation.fitting import Fitted, HeldOutResult
from db.evaluation.fusion import LEGS
from db.evaluation.measure import How, measure, prepare, serving
from db.evaluation.metrics import Interval, Values
from db.roles import Role
from encoder import starter
from encoder.models.loading import Model
from encoder.service import run as run_encoder
from encoder.settings import EncoderSettings
from encoder.starter import head as heads
from encoder.starter import weights
from encoder.starter.training import pairs as all_pairs
from encoder.starter.training import splits
from encoder.starter.training.fit import Material, fit
from migrations.model_revisions import NewModel
from windowshop.output import evaluation as report
from windowshop.starter import gather

CACHE = Path(".cache/starter")
NAME = "held_out"
WITHIN = 0.01  # the hybrid's nDCG@10 may be at most this much below the best leg of a suite


@dataclass(frozen=True)
class Split:
    products: int
    fitted: Fitted
    values: dict[str, dict[str, Values]]  # suite -> leg -> nDCG@10 of each query of the test half
    seconds: dict[str, float]


def run(numbers: Sequence[int] = range(1, splits.COUNT + 1)) -> None:
    with Progress(transient=True) as progress:
        material = gather(CACHE, progress)
    found = [_measure(material, number) for number in numbers]
    pooled = {suite: fitting.joined([split.values[suite] for split in found]) for suite in held_out.SUITES}
    rows = {suite: fitting.beside(suite, values) for suite, values in pooled.items()}
    together = fitting.beside("both", fitting.joined([pooled[suite] for suite in held_out.FITTED]))
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
            row = fitting.beside(suite, values)
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
    train, test = splits.sides(material.pairs, splits.read()[number - 1])
    pairs = [material.pairs[row] for row in test]
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        head = Path(folder) / "head.safetensors"
        with _timed(seconds, "train"):
            heads.save(fit(material, train), head)
        model = Model(NAME, weights.revision(head), starter.DIMENSION, "cpu", starter.load("cpu", head))
        with site(NewModel(NAME, NAME, model.revision, model.dimension)) as measured:
            with _timed(seconds, "load"):
                _fill(measured, pairs)
            with _encoding(measured, model):
                with _timed(seconds, "encode"):
                    while measured.left():
                        time.sleep(0.2)
                return _evaluate(measured, number, len(pairs), seconds)


def _fill(measured: Site, pairs: Sequence[all_pairs.Pair]) -> None:
    categories = held_out.categories(all_pairs.PAIRS / "pairs.csv", pairs)
    with measured.database.connect(Role.APP) as conn, conn.begin():
        for catalog in held_out.SUITES.values():
            with staging(conn) as stage:
                for product in held_out.products(pairs, categories, catalog):
                    stage(product)
            upsert(conn, catalog=catalog, image_root=all_pairs.PAIRS)
        judgements.add(conn, held_out.judgements(pairs))


@contextmanager
def _encoding(measured: Site, model: Model) -> Iterator[None]:
    """Run the encoder in a thread of this process. It encodes the catalog and answers queries."""
    stop, ready = threading.Event(), threading.Event()
    with measured.database.connect(None) as conn:
        model_id = conn.execute(text("select model_id from shop.model where status = 'serving'")).scalar_one()
    arguments = {"stop": stop, "on_ready": ready.set}
    thread = threading.Thread(
        target=run_encoder, args=(measured.database, {model_id: model}, EncoderSettings()), kwargs=arguments
    )
    thread.start()
    try:
        if not ready.wait(60):
            raise RuntimeError("the encoder did not start")
        yield
    finally:
        stop.set()
        thread.join()


def _evaluate(measured: Site, number: int, count: int, seconds: dict[str, float]) -> Split:
    with measured.database.connect(None) as admin:
        admin.execution_options(isolation_level="AUTOCOMMIT").execute(text("analyze"))
    console = Console()
    with measured.database.connect(Role.ANALYST) as reading:
        conn = reading.execution_options(isolation_level="AUTOCOMMIT")
        model = serving(conn)
        tasks = prepare(conn, judgements.read(conn, list(held_out.SUITES)))
        with _timed(seconds, "fit"):
            fitted = fitting.fit_weights(conn, [task for task in tasks if task.suite in held_out.FITTED])
        with _timed(seconds, "evaluate"):
            how = How(weights=fitted.weights, index_recall=False)
            found = [leg for task in tasks for leg in measure(conn, task, model, how)]
        console.print(f"split {number}: {seconds}")
        report.print_measured(console, found, model)
        report.print_fitted(console, fitted, fitting.on_test_half(found))
    suites = [leg.task.suite for leg in found if leg.leg == "hybrid"]
    return Split(count, fitted, dict(zip(suites, fitting.test_values(found).values(), strict=True)), seconds)


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[what] = round(time.perf_counter() - started, 1)
