"""`windowshop db login` manages the logins of people."""

from typing import Annotated

import typer

from db.roles import PERSONAL_CONNECTIONS, Role
from windowshop.output.terminal import say

app = typer.Typer(
    no_args_is_help=True,
    help="The logins of people. Each person has a login of their own, and cannot change the password or the limits of "
    "another login.",
)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The name of the new login.")],
    role: Annotated[Role, typer.Option(help="analyst (reads and searches) or app (also loads).")] = Role.ANALYST,
    connections: Annotated[
        int, typer.Option(help="How many connections the login may open.", min=1)
    ] = PERSONAL_CONNECTIONS,
) -> None:
    """Create a login and print its address with the password, which is shown only once."""
    from db.engine import open_database
    from db.errors import SettingsError
    from db.lifecycle import logins
    from db.settings import Settings

    if role not in (Role.ANALYST, Role.APP):
        raise SettingsError(f"people cannot have the role {role}", hint="The roles of people are analyst and app.")
    with open_database(Settings.read(), on_progress=say) as database:
        with database.connect(None) as conn, conn.begin():
            password = logins.add(conn, database.roles, name, role, connections)
        url = database.read.set(drivername="postgresql", username=name, password=password)
        typer.echo(url.render_as_string(hide_password=False))


@app.command("list")
def list_logins() -> None:
    """List the logins of people and of the site's processes."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db.engine import open_database
    from db.lifecycle import logins
    from db.settings import Settings

    table = Table(Column("login", overflow="fold"), "role", "connections", box=box.SIMPLE_HEAD, pad_edge=False)
    with open_database(Settings.read(), on_progress=say) as database, database.connect(None) as conn:
        for one in logins.every_login(conn, database.roles):
            table.add_row(one.name, one.role if one.is_person else "process", str(one.limit))
    Console().print(table)


@app.command()
def drop(name: Annotated[str, typer.Argument(help="The login.")]) -> None:
    """Delete the login of a person. Open sessions of the login continue until they disconnect."""
    from db.engine import open_database
    from db.lifecycle import logins
    from db.settings import Settings

    with open_database(Settings.read(), on_progress=say) as database, database.connect(None) as conn, conn.begin():
        logins.drop(conn, database.roles, name)
    typer.echo("Dropped.")
