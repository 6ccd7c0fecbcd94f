"""`windowshop db` runs the embedded server, opens connections, and upgrades the schema."""

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from db.roles import Role
from windowshop.options import RoleOption
from windowshop.output.terminal import say, tell
from windowshop.site import login

if TYPE_CHECKING:
    from sqlalchemy import URL

    from db.engine import Database
    from db.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="The database: the embedded server, its schema, and connections to it. If WINDOWSHOP_DATABASE_URL is set, all "
    "commands but start and stop use your own database instead of the embedded one.",
)

app.add_typer(login.app, name="login")


@app.command()
def start() -> None:
    """Start the embedded server, which runs until "windowshop db stop".

    If WINDOWSHOP_DATABASE_URL is not set, this command also reads the indexes of the embedded database into memory.
    """
    from db.embedded import server
    from db.settings import Settings

    settings = Settings.read()
    running = server.start(settings.home, on_progress=say)
    typer.echo(f"PostgreSQL is running at {running.host}:{running.port}, data in {running.data}.")
    if settings.database_url is None:
        _warm(settings)


def _warm(settings: "Settings") -> None:
    from db.engine import open_database
    from db.errors import DatabaseError
    from windowshop.index import warm_with_progress
    from windowshop.output.warming import WORTH_MENTIONING, describe

    try:
        with open_database(settings) as database:
            warmed = warm_with_progress(database)
    except DatabaseError:
        return  # the database does not exist yet, or it needs "windowshop db upgrade"
    if warmed.bytes > WORTH_MENTIONING:
        for line in describe(warmed):
            typer.echo(line)


@app.command()
def stop(
    force: Annotated[bool, typer.Option(help="Stop the server even while other commands use it.")] = False,
) -> None:
    """Stop the embedded server."""
    from db.embedded import server
    from db.settings import Settings

    stopped = server.stop(Settings.read().home, force=force)
    typer.echo("The server has stopped." if stopped else "The server was not running.")


@app.command()
def status() -> None:
    """Show where the database is, whether its schema fits this version, and where its gateway leads.

    This command does not start the server.
    """
    from db import schema
    from db.embedded import server
    from db.engine import open_database, server_facts
    from db.errors import WindowshopError
    from db.lifecycle import gateway
    from db.settings import Settings

    settings = Settings.read()
    if settings.database_url is None:
        state = server.status(settings.home)
        typer.echo(f"embedded server: {'running, pid ' + str(state.pid) if state.running else 'not running'}")
        typer.echo(f"data: {state.data}")
        if not state.running:
            return
        typer.echo(f"port: {state.port}")
        if state.kept:
            typer.echo('runs until "windowshop db stop"')
    with open_database(settings) as database, database.connect(None) as conn:
        facts = server_facts(conn)
        typer.echo(f"PostgreSQL {facts['postgresql']}, pgvector {facts['pgvector'] or 'not installed'}")
        try:
            revision = schema.check(conn)
            fits = (
                "which fits this version"
                if revision == schema.HEAD
                else f"which still serves this version ({schema.HEAD})"
            )
            typer.echo(f"schema: revision {revision}, {fits}")
        except WindowshopError as error:
            typer.echo(f"schema: {error.message}. {error.hint}")
            return
        gateway.check(conn)
        typer.echo("gateway: leads to this database")


@app.command()
def url(
    role: RoleOption = None,
    show_password: Annotated[bool, typer.Option(help="Print the password as part of the address.")] = True,
) -> None:
    """Print a postgresql:// address, for psql and other programs: psql "$(windowshop db url --role analyst)"."""
    from db.engine import open_database
    from db.settings import Settings

    with open_database(Settings.read(), on_progress=say) as database:
        address = _address(database, role)
        typer.echo(address.render_as_string(hide_password=not show_password))


def _address(database: "Database", role: "Role | None") -> "URL":
    """Return the address of a role's login, or of the administrator. On a server of your own, the function connects as
    the role first, so that a login without the rights of the role is an error."""
    if role is not None and not database.is_embedded:
        with database.connect(role):
            pass
    return database.url(role).set(drivername="postgresql")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, role: RoleOption = None) -> None:
    """Open psql, and pass it the remaining arguments: windowshop db psql --role analyst -c "SELECT 1".

    By default, psql does not show the functions through which an error passed. -v SHOW_CONTEXT=errors shows them too.
    """
    from db.embedded import server
    from db.engine import open_database
    from db.settings import Settings

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        address = _address(database, role)
        program = "psql"
        environment: dict[str, str] = {}
        if database.is_embedded:
            path, environment = server.binary(settings.home, "psql")
            program = str(path)
        if address.password:  # not on the command line, which every user of the machine can read
            environment = {**environment, "PGPASSWORD": str(address.password)}
        target = address._replace(password=None).render_as_string()
        try:
            done = subprocess.run(
                [program, "-v", "SHOW_CONTEXT=never", "-d", target, *context.args],
                env={**os.environ, **environment},
                check=False,
            )
        except FileNotFoundError:
            from db.errors import SettingsError

            raise SettingsError("psql is not installed", hint="Install PostgreSQL's client programs.") from None
    raise typer.Exit(done.returncode)


@app.command()
def upgrade(
    starter: Annotated[
        bool,
        typer.Option(
            "--starter",
            help="If no model serves, let the starter model serve. A site without models gets the starter model first.",
        ),
    ] = False,
    as_sql: Annotated[
        bool, typer.Option("--sql", help="Change nothing, and write the upgrade as SQL for psql instead.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option("--from", help="With --sql: the revision of the database. Default: an empty database."),
    ] = None,
) -> None:
    """Bring the schema to this version: extensions, roles, tables, functions, gateway. Safe to run again.

    windowshop db upgrade --sql > upgrade.sql    for an administrator who reads it before psql runs it
    """
    from db.engine import open_database
    from db.errors import SettingsError
    from db.settings import Settings
    from migrations.upgrade import upgrade as run
    from migrations.upgrade import write_script
    from windowshop.model import ensure_a_model_serves

    settings = Settings.read()
    if as_sql:
        write_script(settings, start or "base", sys.stdout)
        return
    if start is not None:
        raise SettingsError("--from works only with --sql", hint="Add --sql.")
    with open_database(settings, on_progress=say) as database:
        run(database, settings, say)
        if starter:
            ensure_a_model_serves(database, settings)
    tell("The schema is up to date.")


@app.command()
def roles() -> None:
    """Create the roles of the site on this server. Run this command on a new server before a dump is restored there.

    The database may be empty. Existing roles stay as they are. "windowshop db upgrade" creates missing roles, too.
    """
    from db.engine import open_database
    from db.settings import Settings
    from migrations.logins import make_roles
    from migrations.upgrade import create_embedded_database

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        create_embedded_database(database)
        created = make_roles(database, settings.login_passwords)
    typer.echo(f"Created: {', '.join(created)}." if created else "All roles exist.")


@app.command()
def adopt() -> None:
    """Point the gateway of a copy to the copy itself, and give the gateway a new password. The schema stays as it is.

    Run this command in a copy of the server's files (a physical backup). For a restored dump, run "windowshop db
    upgrade".
    """
    from db.engine import open_database
    from db.settings import Settings
    from migrations.upgrade import adopt as run

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        run(database, settings)
    typer.echo("The gateway leads to this database, with a new password.")


@app.command()
def check() -> None:
    """Compare the tables, the logins, their limits and row level security with those that this version expects.

    The command prints how many connections the server has and how many the logins may take, and which index parameters
    and server settings suit the catalog.
    """
    from db.engine import open_database
    from db.errors import DatabaseError
    from db.lifecycle import gateway, logins
    from db.lifecycle.row_security import unprotected
    from db.settings import Settings
    from migrations.upgrade import drift
    from windowshop.index import suitable_lines

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        with database.connect(None) as conn:
            budget, faults = logins.budget(conn, database.roles), logins.faults(conn, database.roles)
        typer.echo(str(budget))
        drift(database, settings)
        with database.connect(None) as conn:
            leaking = unprotected(conn)
        with database.connect(Role.ANALYST) as conn:
            gateway.check(conn)
            for line in suitable_lines(conn):
                typer.echo(line)
    if faults:
        raise DatabaseError(
            "the logins do not follow their rules:\n  " + "\n  ".join(faults),
            hint='"windowshop db upgrade" corrects what it may change. docs/operations.md describes the rest.',
        )
    if leaking:
        raise DatabaseError(
            f"shop.product has row level security, but these tables do not follow it: {', '.join(leaking)}",
            hint='Run "windowshop db upgrade".',
        )
    typer.echo("No difference.")


@app.command("alembic-ini")
def alembic_ini() -> None:
    """Print the path of alembic's configuration: ALEMBIC_CONFIG=$(windowshop db alembic-ini) alembic history."""
    from migrations.upgrade import ALEMBIC_INI

    typer.echo(ALEMBIC_INI)


@app.command()
def revision(message: Annotated[str, typer.Argument(help="What the revision does, in a few words.")]) -> None:
    """For developers: write the next project revision from the differences between the database and db/tables/."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.upgrade import new_revision

    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        typer.echo(new_revision(database, settings, message))


@app.command()
def downgrade(
    to: Annotated[
        str,
        typer.Argument(help="A revision to go back to. site@base drops the models' tables, base drops everything."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Go back without asking for confirmation.")] = False,
) -> None:
    """Go back to an earlier revision. Tables of later revisions are dropped with their rows."""
    from db.engine import open_database
    from db.settings import Settings
    from migrations.upgrade import downgrade as run

    if not yes:
        typer.confirm(f"Drop everything newer than {to}?", abort=True)
    settings = Settings.read()
    with open_database(settings, on_progress=say) as database:
        run(database, settings, to)
    typer.echo(f"The schema is at {to}.")
