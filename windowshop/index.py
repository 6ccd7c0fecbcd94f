"""`windowshop index`."""

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from db.roles import Role
from windowshop.model import Json, every_model_status

app = typer.Typer(no_args_is_help=True, help="Indexes: look at them, build what was left out, build them anew.")


@app.command()
def status(as_json: Json = False) -> None:
    """Every HNSW index, and whatever else is left out: size, parameters, whether search may use it, and how far a build
    has come."""
    from rich.console import Console

    from db.engine import open_database
    from db.lifecycle import deferred_indexes
    from db.settings import Settings
    from windowshop.output import models as report

    with open_database(Settings.read()) as database:
        indexes = [index for model in every_model_status(database) for index in model.indexes]
        with database.connect(Role.ANALYST) as conn:
            left_out = [index.name for index in deferred_indexes.deferred(conn)]
    if as_json:
        rows: list[dict[str, Any]] = [asdict(index) for index in indexes]
        typer.echo(json.dumps(rows, indent=2))
    else:
        report.print_indexes(Console(), indexes)
    if left_out:
        typer.echo(f'Left out until "windowshop index build": {", ".join(left_out)}.', err=True)


@app.command()
def build() -> None:
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


@app.command()
def rebuild(
    model: Annotated[str | None, typer.Option(help="Of which model. Default: the serving one.")] = None,
    m: Annotated[int, typer.Option("--m", help="Links of a vector in the graph.", min=2, max=100)] = 16,
    ef_construction: Annotated[
        int, typer.Option("--ef-construction", help="How far a place in the graph is looked for.", min=4, max=1000)
    ] = 64,
) -> None:
    """Build a model's indexes anew beside the old ones, then drop those; search goes on all the while.

    Larger figures find more and take longer to build. Interrupted? "windowshop db upgrade" goes on. Afterwards run
    "windowshop calibrate".
    """
    from db.engine import open_database
    from db.settings import Settings
    from migrations.reindex import rebuild_indexes

    settings = Settings.read()
    with open_database(settings, on_progress=_say) as database:
        file = rebuild_indexes(database, settings, model=model, m=m, ef_construction=ef_construction, on_progress=_say)
    typer.echo(f"wrote {file}")
    typer.echo('The indexes are built. "windowshop calibrate" measures how far search has to look in them.')


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
