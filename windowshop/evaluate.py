"""Defines the command `windowshop evaluate`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from db.roles import Role
from windowshop.options import AsJson, RecallDepth, Suites

if TYPE_CHECKING:
    from db.evaluation.fusion import LegWeights
    from db.evaluation.run import Evaluation, EvaluationOptions

Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", metavar="JSON", help="Measure with this filter; may be repeated. Default: no filter."),
]
HybridWeights = Annotated[
    str | None,
    typer.Option(
        help="Weights of the legs in the hybrid: image=1,title=0.5,keyword=2. Default: the fitted weights, or 1 each."
    ),
]
Route = Annotated[
    str | None, typer.Option(help="The route of all searches: exact or hnsw. Default: each search chooses its route.")
]
Against = Annotated[str | None, typer.Option(metavar="RUN", help='Compare with an earlier run: its number, or "last".')]
Fit = Annotated[
    bool, typer.Option("--fit", help="First fit the weights of the hybrid on half of the queries, and store them.")
]
IndexRecall = Annotated[
    bool, typer.Option(help="Also measure which share of an exact scan's results the HNSW index finds.")
]


def evaluate(
    suite: Suites = None,
    k: RecallDepth = 10,
    filter_: Filters = None,
    weights: HybridWeights = None,
    route: Route = None,
    against: Against = None,
    fit: Fit = False,
    index_recall: IndexRecall = True,
    as_json: AsJson = False,
) -> None:
    """Measure how well searches answer judged queries, and store the figures in shop.evaluation.

    \b
    windowshop judge judgements.csv                   columns query, sku, grade (0 wrong, 3 exactly right)
    windowshop evaluate                               measure each leg alone, and all legs together
    windowshop evaluate --fit                         fit the weights of image, title and keywords first
    windowshop evaluate --against last                compare with the last run, with confidence intervals
    windowshop evaluate --filter '{"price": {"lt": 80}}'

    The searches run as the read-only role analyst. Texts that were never searched before need a running encoder.
    """
    from db.errors import SettingsError
    from db.evaluation.run import EvaluationOptions

    if route not in (None, "exact", "hnsw"):
        raise SettingsError(f'--route "{route}" is neither exact nor hnsw')
    if fit and (filter_ or weights):
        raise SettingsError(
            "--fit cannot be combined with --filter or --weights",
            hint=f"Fit first, then measure with {'the filter' if filter_ else 'other weights'}.",
        )
    options = EvaluationOptions(
        suites=list(dict.fromkeys(suite or ["default"])),
        filters=[_parse_filter(each) for each in filter_] if filter_ else [None],
        k=k,
        weights=None if weights is None else _parse_weights(weights),
        route=route,
        against=against,
        fit=fit,
        index_recall=index_recall,
    )
    _print(_evaluated(options), as_json)


def _evaluated(options: "EvaluationOptions") -> "Evaluation":
    from db import schema
    from db.engine import open_database
    from db.evaluation import history, run
    from db.settings import Settings
    from windowshop.output.evaluation import print_left_out
    from windowshop.output.progress import counted_steps

    with open_database(Settings.read()) as database, database.connect(Role.ANALYST, read=True) as reading:
        conn = reading.execution_options(isolation_level="AUTOCOMMIT")
        schema.check(conn)
        with database.connect(Role.APP) as writing:
            history.check_may_keep(writing)
        tasks = run.prepare(conn, options)
        print_left_out(tasks)
        return run.evaluate(database, conn, run.answerable(tasks), options, counted_steps)


def _print(done: "Evaluation", as_json: bool) -> None:
    from rich.console import Console

    from windowshop.output import evaluation as report

    if as_json:
        typer.echo(
            report.as_json(
                done.run, done.measured, done.model, done.against, done.comparisons, done.fitted, done.tested
            )
        )
        return
    console = Console()
    report.print_measured(console, done.measured, done.model)
    if done.fitted:
        report.print_fitted(console, done.fitted, done.tested)
    if done.against is not None:
        report.print_comparisons(console, done.against, done.comparisons)
    console.print(f"Stored as run {done.run}: SELECT * FROM shop.evaluation WHERE run = {done.run}", highlight=False)


def _parse_filter(written: str) -> dict[str, Any]:
    from db.errors import SettingsError
    from db.strict_json import parse

    try:
        parsed = parse(written)
    except ValueError as error:
        raise SettingsError(f"--filter {written!r} is not accepted: {error}") from error
    if not isinstance(parsed, dict):
        raise SettingsError(f"--filter {written!r} is not a JSON object", hint="""Example: '{"price": {"lt": 80}}'.""")
    return parsed


def _parse_weights(written: str) -> "LegWeights":
    from db.errors import SettingsError
    from db.evaluation.fusion import LEGS, LegWeights

    try:
        pairs = [part.split("=") for part in written.split(",")]
        values = {name.strip(): float(value) for name, value in pairs}
        rrf_k = int(values.pop("rrf_k", 60))
        if not set(values) <= set(LEGS) or not any(values.values()) or not 1 <= rrf_k <= 10_000:
            raise ValueError(written)
        if not all(0 <= value <= 1000 for value in values.values()):
            raise ValueError(written)
    except ValueError:
        raise SettingsError(
            f'--weights "{written}" cannot be read',
            hint="Give numbers from 0 to 1000, not all 0, such as image=1,title=0.5,keyword=2. A leg that is not named "
            "has the weight 0. rrf_k=10 sets the constant of reciprocal rank fusion.",
        ) from None
    return LegWeights(**{leg: values.get(leg, 0.0) for leg in LEGS}, rrf_k=rrf_k)
