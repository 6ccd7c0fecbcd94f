"""Defines the commands of `windowshop index`."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from db.roles import Role
from windowshop.model import every_model_status
from windowshop.options import AsJson
from windowshop.output.terminal import say

app = typer.Typer(
    no_args_is_help=True, help="Indexes: list all, build the deferred indexes, rebuild the indexes of a model."
)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show every HNSW index with its size, parameters and state, and the names of all deferred indexes."""
    from rich.console import Console

    from db.engine import open_database
    from db.lifecycle import deferred_indexes
    from db.search.calibration import calibration_advice
    from db.settings import Settings
    from windowshop.output import models as report

    with open_database(Settings.read()) as database:
        indexes = [index for model in every_model_status(database) for index in model.indexes]
        with database.connect(Role.ANALYST) as conn:
            deferred = [index.name for index in deferred_indexes.deferred(conn)]
            advice = calibration_advice(conn)
    if as_json:
        rows: list[dict[str, Any]] = [asdict(index) for index in indexes]
        typer.echo(json.dumps(rows, indent=2))
    else:
        report.print_indexes(Console(), indexes)
    if advice:
        say(f"The newest calibration missed its target: {advice}.")
    if deferred:
        say(f'Deferred until "windowshop index build": {", ".join(deferred)}.')


@app.command()
def build() -> None:
    """Build the indexes that were deferred while tables were filled. Searches and loads continue during the build.

    "windowshop load" and "windowshop encode" build the indexes that they deferred. Run this command if a load or an
    encoder was killed before it built them. An index that an interrupted build left invalid is built again.
    """
    from db.engine import open_database
    from db.lifecycle import deferred_indexes
    from db.settings import Settings
    from windowshop.output.progress import progress_bar

    with open_database(Settings.read()) as database, progress_bar("Building indexes", 1.0) as bar:
        built = deferred_indexes.build(
            database, on_progress=lambda name, phase, share: bar.update(share, 1.0, f"{name}: {phase}")
        )
        with database.connect(Role.ANALYST) as conn:
            left = [index.name for index in deferred_indexes.deferred(conn)]
    for name in built:
        typer.echo(f"built {name}")
    if left:
        typer.echo(f"Another session is building indexes; still missing: {', '.join(left)}.")
    elif not built:
        typer.echo("No index is deferred.")


@app.command()
def rebuild(
    model: Annotated[
        str | None, typer.Option(help="The model whose indexes are rebuilt. Default: the serving model.")
    ] = None,
    m: Annotated[int, typer.Option("--m", help="Number of links of each vector in the graph.", min=2, max=100)] = 16,
    ef_construction: Annotated[
        int,
        typer.Option("--ef-construction", help="Number of candidates for the links of each vector.", min=4, max=1000),
    ] = 64,
) -> None:
    """Build a model's indexes again beside the old ones, then drop the old ones. Searches continue during the build.

    Larger values of --m and --ef-construction give a higher recall and a longer build. "windowshop db upgrade"
    continues an interrupted build. Run "windowshop calibrate" afterwards.
    """
    from db.engine import open_database
    from db.settings import Settings
    from migrations.reindex import rebuild_indexes

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        file = rebuild_indexes(database, settings, model=model, m=m, ef_construction=ef_construction, on_progress=say)
    typer.echo(f"wrote {file}")
    typer.echo('The indexes are built. Run "windowshop calibrate" to adapt search to them.')
