"""Commands that write or apply revisions: `windowshop db upgrade|check|revision|downgrade`, `model retire`, and
`index rebuild`."""

import sys
from typing import Annotated

import typer


def upgrade() -> None:
    """Bring the schema to this version: extensions, roles, tables, functions, gateway. Safe to run again."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.upgrade import upgrade as run

    settings = Settings.read()
    with open_database(settings, on_progress=_say) as database:
        run(database, settings, _say)
    typer.echo("The schema is up to date.")


def check() -> None:
    """Compare the database with the code's own idea of it; say what differs."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.upgrade import drift

    settings = Settings.read()
    with open_database(settings, on_progress=_say) as database:
        drift(database, settings)
    typer.echo("No difference.")


def revision(message: Annotated[str, typer.Argument(help="What the revision does, in a few words.")]) -> None:
    """For developers: write the next project revision from the difference to db/models.py."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.upgrade import new_revision

    settings = Settings.read()
    with open_database(settings, on_progress=_say) as database:
        typer.echo(new_revision(database, settings, message))


def downgrade(
    to: Annotated[str, typer.Argument(help="A revision; site@base drops the models' tables, base everything.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go back to an earlier revision. Tables of later revisions are dropped with what is in them."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.upgrade import downgrade as run

    if not yes:
        typer.confirm(f"Drop everything newer than {to}?", abort=True)
    settings = Settings.read()
    with open_database(settings, on_progress=_say) as database:
        run(database, settings, to)
    typer.echo(f"The schema is at {to}.")


def retire(name: str) -> None:
    """Stop encoding with a model that does not serve, and free its tables, by a reviewable migration."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.retire import retire_model

    settings = Settings.read()
    with open_database(settings, on_progress=_say) as database:
        files = retire_model(database, settings, name, _say)
    for file in files:
        typer.echo(f"wrote {file}")
    typer.echo(f"Model {name} is retired." if files else f"Model {name} was retired already.")
    if files:
        typer.echo('To have it again, empty at first: "windowshop model add" with the same source and name.')


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
