"""`windowshop encode`, `windowshop model ...`, `windowshop retry`."""

from pathlib import Path
from typing import Annotated

import typer

model_app = typer.Typer(
    no_args_is_help=True,
    help="Models: add one, switch search to it, list them. Each model has its own tables and indexes, so several can "
    "be kept side by side.",
)


def encode(
    once: Annotated[bool, typer.Option("--once", help="Encode what is waiting, print a summary, exit.")] = False,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Only this model (repeatable). Default: all that are not retired."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps. Default: WINDOWSHOP_ENCODER_DEVICE.")
    ] = None,
    queries: Annotated[bool, typer.Option(help="Answer query texts and pictures as well.")] = True,
) -> None:
    """Run an encoder: answers query texts and pictures at once, and encodes the catalog meanwhile.

    Start as many as you like, on any machine that reaches the database; they share the work. Stop with Ctrl-C or
    SIGTERM: the batch in hand is finished, the rest is given back.
    """
    from db.engine import open_database
    from db.settings import Settings
    from encoder.service import load_models
    from encoder.settings import EncoderSettings
    from windowshop.output.encoding import encode_with_progress

    settings = EncoderSettings.read()
    if device:
        settings = settings.model_copy(update={"device": device})
    with open_database(Settings.read()) as database:
        models = load_models(database, settings, model)
        encode_with_progress(database, models, settings, once=once, queries=queries)


def retry() -> None:
    """Try again what was quarantined, after its cause was mended (see the view shop.quarantine)."""
    from db import schema
    from db.engine import open_database
    from db.roles import Role
    from db.settings import Settings
    from db.work import items as work

    with open_database(Settings.read()) as database, database.connect(Role.ENCODER) as conn:
        schema.check(conn)
        listed = sum(work.retry(conn, row.model_id) for row in work.models(conn))
        conn.commit()
    typer.echo(f"{listed} items are on the work list again.")


@model_app.command("add")
def add(
    source: Annotated[
        str, typer.Argument(help="starter, a hub name, or a folder (CLIP, SigLIP, sentence-transformers).")
    ],
    name: Annotated[
        str | None, typer.Option("--as", help="Name in the database. Default: made from the source.")
    ] = None,
) -> None:
    """Add a model: read its dimension, write a reviewable migration for its tables, apply it, list the catalog as work.

    Example: windowshop model add sentence-transformers/clip-ViT-B-32
    """
    from db.engine import open_database
    from db.settings import Settings
    from encoder.models.loading import load, model_name
    from migrations.model_revisions import NewModel, add_model

    settings = Settings.read()
    folder = Path(source).expanduser()
    source = str(folder.resolve()) if folder.is_dir() else source
    loaded = load(source)
    chosen = model_name(source) if name is None else name
    with open_database(settings) as database:
        files = add_model(database, settings, NewModel(chosen, source, loaded.revision, loaded.dimension))
    for file in files:
        typer.echo(f"wrote {file}")
    typer.echo(f"Model {chosen}: {loaded.dimension} dimensions, revision {loaded.revision}.")
    typer.echo(f'Next: "windowshop encode" fills it, "windowshop model serve {chosen}" switches search to it.')


@model_app.command("serve")
def serve(
    name: str,
    force: Annotated[bool, typer.Option(help="Even if its encoder is down or the catalog is not encoded yet.")] = False,
) -> None:
    """Switch search to a model, in one transaction. Refused while that would lose results, unless forced."""
    from db.engine import open_database
    from db.lifecycle.serving import serve_model
    from db.settings import Settings

    with open_database(Settings.read()) as database:
        serve_model(database, name, force=force)
    typer.echo(f"Search is served by {name}.")


@model_app.command("list")
def list_models() -> None:
    """The models, and how much of the catalog each has encoded."""
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
        for name in ("model", "status", "catalog", "products", "searchable", "waiting", "quarantined", "no image"):
            table.add_column(name, no_wrap=True)
        covered = coverage(conn)
        for row in every_model(conn):
            lines = [line for line in covered if line.model == row.name]
            for line in lines:
                counts = (line.products, line.searchable, line.waiting, line.quarantined, line.without_picture)
                table.add_row(row.name, row.status, line.catalog, *map(str, counts))
            if not lines:
                table.add_row(row.name, row.status, "-")
    Console().print(table)
