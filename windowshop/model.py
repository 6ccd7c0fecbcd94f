"""`windowshop model status|evaluate|promote|rollback`: added to the `model` commands."""

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from db.roles import Role

if TYPE_CHECKING:
    from db.engine import Database
    from db.lifecycle.promotion import Switched
    from db.lifecycle.status import ModelStatus

Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def status(as_json: Json = False) -> None:
    """Every model: how far it has come with pictures and titles, its indexes, its last evaluation."""
    from rich.console import Console

    from db.engine import open_database
    from db.settings import Settings
    from windowshop.output import models as report

    with open_database(Settings.read()) as database:
        models = _status(database)
    if as_json:
        typer.echo(report.as_json(models))
    else:
        report.print_status(Console(), models)


def _status(database: "Database") -> "list[ModelStatus]":
    from db import schema
    from db.lifecycle.indexes import building
    from db.lifecycle.status import model_status

    with database.connect(None) as admin:
        under_way = building(admin)
    with database.connect(Role.ANALYST) as conn:
        schema.check(conn)
        return model_status(conn, under_way)


def evaluate(
    name: str,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Which judgements; may be repeated. Default: default.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=100, help="For recall@k.")] = 10,
    fit: Annotated[
        bool, typer.Option("--fit", help="First fit the model's weights of the legs, and keep them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a model that does not serve against the one that does, on judged queries, and keep the figures.

    Both are asked by the exact route, so the models are compared and not their indexes; searches go on undisturbed.
    Needs an encoder that runs the model ("windowshop encode").
    """
    from rich.console import Console

    from db import schema
    from db.engine import open_database
    from db.errors import SettingsError
    from db.evaluation import history
    from db.lifecycle import trial
    from db.lifecycle.status import coverage
    from db.settings import Settings
    from windowshop.evaluate import progress
    from windowshop.output import evaluation as report

    console, said = Console(), Console(stderr=True)
    suites = list(dict.fromkeys(suite or ["default"]))
    with open_database(Settings.read()) as database, database.connect(Role.APP) as reading:
        conn = reading.execution_options(isolation_level="AUTOCOMMIT")
        schema.check(conn)
        history.check_may_keep(conn)
        model, rival, tasks = trial.prepare(conn, name, suites)
        report.print_left_out(said, tasks)
        tasks = [task for task in tasks if task.queries]
        if not tasks:
            raise SettingsError(f"nothing to measure in {', '.join(suites)}", hint="Are the judged products loaded?")
        for part, covered in coverage(conn)[name].items():
            if covered.unfinished:
                said.print(
                    f"{covered.unfinished} of {covered.items} {part}s are not encoded by {name}: never found.",
                    style="yellow",
                    highlight=False,
                )
        tried = trial.run(database, conn, model, rival, tasks, k=k, fit=fit, progress=partial(progress, said))
    if as_json:
        typer.echo(
            report.as_json(
                tried.run, tried.measured, model, tried.rival_run, tried.comparisons, tried.fitted, tried.tested
            )
        )
        return
    report.print_measured(console, tried.rival_measured, rival)
    console.print()
    report.print_measured(console, tried.measured, model)
    if tried.fitted:
        report.print_fitted(console, tried.fitted, tried.tested)
    report.print_comparisons(console, tried.rival_run, tried.comparisons)
    console.print(f"Kept as run {tried.run} ({name}) and run {tried.rival_run} ({rival.model}).", highlight=False)


def promote(
    name: str,
    force: Annotated[bool, typer.Option(help="Whatever speaks against it.")] = False,
    allow_quarantined: Annotated[
        bool, typer.Option("--allow-quarantined", help="What could not be encoded counts as done.")
    ] = False,
) -> None:
    """Let a model serve, in one transaction.

    Refused while it does not cover the whole catalog, lacks a valid index on a catalog that needs one, no encoder runs
    it, or its newest evaluation is worse than that of the model that serves.
    """
    from db.engine import open_database
    from db.lifecycle import promotion
    from db.settings import Settings

    with open_database(Settings.read()) as database:
        _say(promotion.promote(database, name, force=force, allow_quarantined=allow_quarantined))


def rollback(
    force: Annotated[bool, typer.Option(help="Even if its encoder is down or it fell behind.")] = False,
) -> None:
    """Back to the model that served before, in one transaction. A second time: forward again."""
    from db.engine import open_database
    from db.lifecycle import promotion
    from db.settings import Settings

    with open_database(Settings.read()) as database:
        _say(promotion.rollback(database, force=force))


def _say(switched: "Switched") -> None:
    from windowshop.output.models import told

    for line in told(switched):
        typer.echo(line)


def index_status(as_json: Json = False) -> None:
    """Every HNSW index, and whatever else is left out: size, parameters, whether search may use it, and how far a build
    has come."""
    from rich.console import Console

    from db.engine import open_database
    from db.lifecycle import deferred_indexes
    from db.settings import Settings
    from windowshop.output import models as report

    with open_database(Settings.read()) as database:
        indexes = [index for model in _status(database) for index in model.indexes]
        with database.connect(Role.ANALYST) as conn:
            left_out = [index.name for index in deferred_indexes.deferred(conn)]
    if as_json:
        rows: list[dict[str, Any]] = [asdict(index) for index in indexes]
        typer.echo(json.dumps(rows, indent=2))
    else:
        report.print_indexes(Console(), indexes)
    if left_out:
        typer.echo(f'Left out until "windowshop index build": {", ".join(left_out)}.', err=True)


def index_build() -> None:
    """Build the indexes that were left out while tables were filled; search and loads go on meanwhile.

    A load and "windowshop encode" do this by themselves when they are through; this is for one that was killed, and for
    a login that may not build. One that an interrupted build left not valid is built again.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from db.engine import open_database
    from db.lifecycle import deferred_indexes
    from db.settings import Settings

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with (
        open_database(Settings.read()) as database,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("Building indexes", total=1.0)
        built = deferred_indexes.build(
            database,
            on_progress=lambda name, phase, share: progress.update(
                task, description=f"{name}: {phase}", completed=share
            ),
        )
        with database.connect(Role.ANALYST) as conn:
            left = [index.name for index in deferred_indexes.deferred(conn)]
    for name in built:
        typer.echo(f"built {name}")
    if left:
        typer.echo(f"Somebody else is building; not there yet: {', '.join(left)}.")
    elif not built:
        typer.echo("No index is left out.")
