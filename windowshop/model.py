"""Defines the commands of `windowshop model`."""

from typing import TYPE_CHECKING, Annotated

import typer

from db.roles import Role
from windowshop.options import AsJson, RecallDepth, Suites
from windowshop.output.terminal import say

if TYPE_CHECKING:
    from db.engine import Database
    from db.lifecycle.promotion import Switched
    from db.lifecycle.status import ModelStatus
    from db.lifecycle.trial import Trial
    from db.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Models: add, export, compare, serve, retire and list models. Each model has its own tables and indexes, so "
    "several models can exist side by side.",
)


@app.command("add")
def add(
    source: Annotated[
        str, typer.Argument(help="starter, a hub name, or a folder (CLIP, SigLIP, sentence-transformers).")
    ],
    name: Annotated[
        str | None, typer.Option("--as", help="Name of the model in the database. Default: derived from the source.")
    ] = None,
) -> None:
    """Add a model. Writes a reviewable migration for its tables, applies it, and puts the catalog on the work list.

    Example: windowshop model add sentence-transformers/clip-ViT-B-32
    """
    from db.engine import open_database
    from db.lifecycle.promotion import serving_name
    from db.settings import Settings
    from encoder.models.sources import resolved
    from migrations.model_revisions import NewModel, add_model, check_name
    from windowshop.index import suitable_lines
    from windowshop.output.exporting import export_if_possible
    from windowshop.output.progress import waiting

    settings = Settings.read()
    if name is not None:
        check_name(name)  # checked first, because torch and the model take seconds to load
    source = resolved(source)
    with waiting("Loading the model"):
        from encoder.models.loading import load, model_name, pick_device  # loads torch, which takes seconds

        loaded = load(source)
        chosen = model_name(source) if name is None else name
    with open_database(settings) as database:
        files = add_model(database, settings, NewModel(chosen, source, loaded.revision, loaded.dimension))
        with database.connect(Role.ANALYST) as conn:
            suited = suitable_lines(conn, loaded.dimension)
            serves = serving_name(conn) == chosen
    for file in files:
        typer.echo(f"wrote {file}")
    typer.echo(f"Model {chosen}: {loaded.dimension} dimensions, revision {loaded.revision}.")
    for line in suited:
        typer.echo(line)
    if pick_device("auto") == "cpu":  # a GPU runs the model with torch
        export_if_possible(loaded, chosen)
    if serves:
        typer.echo(f"Model {chosen} was added before and serves the search.")
        return
    typer.echo(
        f'Next: "windowshop encode" encodes the catalog with {chosen}, "windowshop model serve {chosen}" switches '
        f"search to {chosen}."
    )


@app.command()
def export(name: str) -> None:
    """Export a model's towers for ONNX Runtime. Encoders on this machine's CPU then use the exported towers.

    On a machine without a GPU, "windowshop model add" does the same. An exported tower is kept only if its vector of
    each sample has a cosine of at least .9999 to the vector that torch computes.
    """
    from db.engine import open_database
    from db.settings import Settings
    from windowshop.output.exporting import export_model

    with open_database(Settings.read()) as database:
        export_model(database, name)


@app.command("serve")
def serve(
    name: str,
    force: Annotated[
        bool, typer.Option(help="Switch even if the model's encoder is down or the catalog is not encoded yet.")
    ] = False,
) -> None:
    """Switch search to a model, in one transaction. Without --force, a switch that would lose results is refused."""
    from db.engine import open_database
    from db.lifecycle.serving import serve_model
    from db.settings import Settings

    settings = Settings.read()
    with open_database(settings) as database:
        _carry_labels(database, settings, name)
        serve_model(database, name, force=force)
    typer.echo(f"Search is served by {name}.")


@app.command("list")
def list_models() -> None:
    """List the models, and how much of the catalog each model has encoded."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from db import schema
    from db.engine import open_database
    from db.lifecycle.serving import coverage, every_model
    from db.roles import Role
    from db.settings import Settings

    with open_database(Settings.read()) as database, database.connect(Role.ANALYST, read=True) as conn:
        schema.check(conn)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for name in ("model", "status", "catalog"):
            table.add_column(name, overflow="fold", min_width=len(name))
        for name in ("products", "searchable", "waiting", "quaran-\ntined", "no\nimage"):
            table.add_column(name, no_wrap=True, justify="right")
        covered = coverage(conn)
        for row in every_model(conn):
            lines = [line for line in covered if line.model == row.name]
            for line in lines:
                counts = (line.products, line.searchable, line.waiting, line.quarantined, line.without_picture)
                about = "about " if line.counts_are == "about" else ""
                table.add_row(row.name, row.status, line.catalog, *(f"{about}{count:,}" for count in counts))
            if not lines:
                table.add_row(row.name, row.status, "-")
    Console().print(table)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show for every model how many images and titles are encoded, its indexes, and its last evaluation."""
    from rich.console import Console

    from db.engine import open_database
    from db.settings import Settings
    from windowshop.output import models as report
    from windowshop.output.exporting import exported_towers

    with open_database(Settings.read()) as database:
        models = every_model_status(database)
    exported = exported_towers(models)
    if as_json:
        typer.echo(report.as_json(models, exported))
    else:
        report.print_status(Console(), models, exported)


def every_model_status(database: "Database") -> "list[ModelStatus]":
    from db import schema
    from db.lifecycle.indexes import building
    from db.lifecycle.status import model_status

    with database.connect(None) as admin:
        under_way = building(admin)
    with database.connect(Role.ANALYST) as conn:
        schema.check(conn)
        return model_status(conn, under_way)


@app.command()
def evaluate(
    name: str,
    suite: Suites = None,
    k: RecallDepth = 10,
    fit: Annotated[
        bool, typer.Option("--fit", help="First fit the weights of the legs for this model, and store them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare a model with the serving model on judged queries, and store the figures.

    Both models answer by the exact route, so the models are compared and not their indexes. The searches of other users
    are not affected. An encoder must run the model ("windowshop encode").
    """
    from db.engine import open_database
    from db.settings import Settings

    suites = list(dict.fromkeys(suite or ["default"]))
    with open_database(Settings.read()) as database:
        tried = _tried(database, name, suites, k=k, fit=fit)
    _print_trial(tried, as_json)


def _tried(database: "Database", name: str, suites: list[str], *, k: int, fit: bool) -> "Trial":
    from db import schema
    from db.evaluation import history
    from db.evaluation.run import answerable
    from db.lifecycle import trial
    from db.lifecycle.status import coverage
    from windowshop.output.evaluation import print_left_out
    from windowshop.output.progress import counted_steps

    with database.connect(Role.APP) as reading:
        conn = reading.execution_options(isolation_level="AUTOCOMMIT")
        schema.check(conn)
        history.check_may_keep(conn)
        model, rival, tasks = trial.prepare(conn, name, suites)
        print_left_out(tasks)
        tasks = answerable(tasks)
        for part, covered in coverage(conn)[name].items():
            if covered.unfinished:
                say(f"{name} has not encoded {covered.unfinished} of {covered.items} {part}s and cannot find these.")
        return trial.run(database, conn, model, rival, tasks, k=k, fit=fit, progress=counted_steps)


def _print_trial(tried: "Trial", as_json: bool) -> None:
    from rich.console import Console

    from windowshop.output import evaluation as report

    if as_json:
        typer.echo(
            report.as_json(
                tried.run, tried.measured, tried.model, tried.rival_run, tried.comparisons, tried.fitted, tried.tested
            )
        )
        return
    console = Console()
    report.print_measured(console, tried.rival_measured, tried.rival)
    console.print()
    report.print_measured(console, tried.measured, tried.model)
    if tried.fitted:
        report.print_fitted(console, tried.fitted, tried.tested)
    report.print_comparisons(console, tried.rival_run, tried.comparisons)
    console.print(
        f"Stored as run {tried.run} ({tried.model.model}) and run {tried.rival_run} ({tried.rival.model}).",
        highlight=False,
    )


@app.command()
def promote(
    name: str,
    force: Annotated[bool, typer.Option(help="Promote the model even if a check fails.")] = False,
    allow_quarantined: Annotated[
        bool, typer.Option("--allow-quarantined", help="Promote even if some items could not be encoded.")
    ] = False,
) -> None:
    """Let a model serve, in one transaction.

    While another model serves, the command refuses a model that has not encoded the whole catalog, that no encoder
    runs, or that has no valid index although the catalog needs one. The command also refuses a model that did worse
    than the serving model in the newest trials of both models.
    """
    from db.engine import open_database
    from db.lifecycle import promotion
    from db.settings import Settings

    settings = Settings.read()
    with open_database(settings) as database:
        _carry_labels(database, settings, name)
        _print_switch(promotion.promote(database, name, force=force, allow_quarantined=allow_quarantined))


@app.command()
def rollback(
    force: Annotated[
        bool,
        typer.Option(
            help="Go back even if the previous model lacks vectors, or if no encoder runs the previous model."
        ),
    ] = False,
) -> None:
    """Go back to the model that served before, in one transaction. A second rollback undoes the first rollback."""
    from db.engine import open_database
    from db.lifecycle import promotion
    from db.settings import Settings

    with open_database(Settings.read()) as database:
        _print_switch(promotion.rollback(database, force=force))


@app.command()
def retire(name: str) -> None:
    """Stop encoding with a model that does not serve. A reviewable migration drops its tables."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.retire import retire_model

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        files = retire_model(database, settings, name, say)
    for file in files:
        typer.echo(f"wrote {file}")
    typer.echo(f"Model {name} is retired." if files else f"Model {name} was retired already.")
    if files:
        typer.echo('"windowshop model add" with the same source and name adds the model again, without its vectors.')


def _carry_labels(database: "Database", settings: "Settings", name: str) -> None:
    """Give the model `name` an index for each label of the serving model."""
    from migrations.label_indexes import carry_labels
    from windowshop.index import build_with_progress

    carried = carry_labels(database, settings, name, say)
    for one in carried:
        typer.echo(f"wrote {one.file}")
    if carried:
        build_with_progress(database)


def _print_switch(switched: "Switched") -> None:
    from windowshop.output.models import describe

    for line in describe(switched):
        typer.echo(line)


def ensure_a_model_serves(database: "Database", settings: "Settings") -> None:
    """If no model serves, let the starter model serve. A site that has only other models stays as it is."""
    from db.lifecycle.serving import every_model, serve_model
    from encoder import starter
    from migrations.model_revisions import NewModel, add_model

    with database.connect(Role.ANALYST) as conn:
        models = every_model(conn)
    if any(model.status == "serving" for model in models):
        return
    if not models:
        say("Adding the starter model (it finds kinds of things well, colours moderately, materials and brands poorly)")
        add_model(database, settings, NewModel(starter.NAME, starter.NAME, starter.revision(), starter.DIMENSION))
    # The starter model may exist without serving, if an earlier run was killed after it had added the starter model.
    if not models or starter.NAME in [model.name for model in models]:
        serve_model(database, starter.NAME)
