"""`windowshop evaluate`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from db.roles import Role

if TYPE_CHECKING:
    from rich.console import Console

    from db.evaluation.fusion import Weights


def evaluate(
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Which judgements; may be repeated. Default: default.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=100, help="For recall@k.")] = 10,
    filter_: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="JSON", help="Measure under this filter; may be repeated. Default: none."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Of the hybrid: image=1,title=0.5,keyword=2. Default: the fitted ones, else 1 each."),
    ] = None,
    route: Annotated[
        str | None, typer.Option(help="exact or hnsw. Default: what a search would take by itself.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help='Compare with an earlier run: its number, or "last".')
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="First fit the hybrid's weights on half of the queries, and keep them.")
    ] = False,
    index_recall: Annotated[
        bool, typer.Option(help="Also measure what the HNSW index finds of what an exact scan finds.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Measure how well search answers judged queries, and keep the figures in shop.evaluation.

    \b
    windowshop judge judgements.csv                   columns query, sku, grade (0 wrong, 3 exactly what was meant)
    windowshop evaluate                               each leg alone, and all together
    windowshop evaluate --fit                         weights of image, title and keywords from the judgements
    windowshop evaluate --against last                what has changed, and whether that could be chance
    windowshop evaluate --filter '{"price": {"lt": 80}}'

    Searches as the read-only role analyst. Texts that were never asked before need a running encoder.
    """
    from rich.console import Console

    from db import schema
    from db.engine import open_database
    from db.errors import SettingsError
    from db.evaluation import fitting, history, judgements, measure
    from db.settings import Settings
    from windowshop.output import evaluation as report

    suites = list(dict.fromkeys(suite or ["default"]))
    filters = [_parse_filter(each) for each in filter_] if filter_ else [None]
    given = None if weights is None else _parse_weights(weights)
    if route not in (None, "exact", "hnsw"):
        raise SettingsError(f'--route "{route}" is neither exact nor hnsw')
    if fit and (filter_ or weights):
        raise SettingsError(
            "--fit goes without --filter and --weights", hint="Fit first, then measure under the filter."
        )
    console, said = Console(), Console(stderr=True)
    with open_database(Settings.read()) as database, database.connect(Role.ANALYST, read=True) as reading:
        conn = reading.execution_options(isolation_level="AUTOCOMMIT")
        schema.check(conn)
        with database.connect(Role.APP) as writing:
            history.check_may_keep(writing)
        model = measure.serving(conn)
        tasks = measure.prepare(conn, judgements.read(conn, suites), filters)
        report.print_left_out(said, tasks)
        tasks = [task for task in tasks if task.queries]
        if not tasks:
            raise SettingsError(f"nothing to measure in {', '.join(suites)}", hint="Are the judged products loaded?")
        earlier = None
        if against is not None:
            earlier = history.find(conn, against, tasks)
            history.refuse_unlike(*earlier, tasks, k)
        with_text = [task for task in tasks if task.has_text]
        fitted = None
        if fit:
            with progress(said, "Fitting weights", fitting.dev_queries(with_text)) as step:
                fitted = fitting.fit_weights(conn, with_text, step)
        measured = []
        with progress(said, "Searching", measure.count(tasks)) as step:
            for task in tasks:
                taken = fitted.weights if fitted and task.has_text else given
                measured += measure.measure(conn, task, model, measure.How(k, taken, route, index_recall), step)
        comparisons = history.compare(conn, earlier[1], measured) if earlier else []
        tested = fitting.on_test_half([leg for leg in measured if leg.task.has_text]) if fitted else []
        with database.connect(Role.APP) as writing, writing.begin():
            run = history.keep(writing, measured, model)
            if fitted:
                fitting.store(writing, model, suites, fitted, tested)
    if as_json:
        typer.echo(report.as_json(run, measured, model, earlier[0] if earlier else None, comparisons, fitted, tested))
        return
    report.print_measured(console, measured, model)
    if fitted:
        report.print_fitted(console, fitted, tested)
    if earlier:
        report.print_comparisons(console, earlier[0], comparisons)
    console.print(f"Kept as run {run}: SELECT * FROM shop.evaluation WHERE run = {run}", highlight=False)


def _parse_filter(written: str) -> dict[str, Any]:
    import json

    from db.errors import SettingsError

    try:
        parsed = json.loads(written)
    except ValueError as error:
        raise SettingsError(f"--filter {written!r} is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise SettingsError(f"--filter {written!r} is no JSON object", hint="""Such as '{"price": {"lt": 80}}'.""")
    return parsed


def _parse_weights(written: str) -> "Weights":
    from db.errors import SettingsError
    from db.evaluation.fusion import LEGS, Weights

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
            hint="Numbers from 0 to 1000, not all 0, such as image=1,title=0.5,keyword=2; a leg that is not named is "
            "left out. rrf_k=10 may be added.",
        ) from None
    return Weights(**{leg: values.get(leg, 0.0) for leg in LEGS}, rrf_k=rrf_k)


@contextmanager
def progress(console: "Console", what: str, total: int) -> Iterator[Callable[[], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
