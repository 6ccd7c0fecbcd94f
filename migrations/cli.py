"""`windowshop db upgrade|check|revision|downgrade`: added to the `db` commands."""

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


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
