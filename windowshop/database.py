"""`windowshop db start|stop|status|url|psql`, `windowshop search` and `windowshop calibrate`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from db.roles import Role

RoleOption = Annotated[Role | None, typer.Option(help="Connect as this role. Default: the administrator.")]

server = typer.Typer(
    no_args_is_help=True,
    help="The database: the embedded server, its schema, and connections to it. With WINDOWSHOP_DATABASE_URL set, your "
    "own database is meant instead of the embedded one.",
)


@server.command()
def start() -> None:
    """Start the embedded server and keep it running until "windowshop db stop"."""
    from db.embedded import server as embedded
    from db.settings import Settings

    settings = Settings.read()
    running = embedded.start(settings.home, on_progress=_say)
    typer.echo(f"PostgreSQL is running at {running.host}:{running.port}, data in {running.data}.")


@server.command()
def stop(force: Annotated[bool, typer.Option(help="Even while other commands use it.")] = False) -> None:
    """Stop the embedded server."""
    from db.embedded import server as embedded
    from db.settings import Settings

    stopped = embedded.stop(Settings.read().home, force=force)
    typer.echo("Stopped." if stopped else "It was not running.")


@server.command()
def status() -> None:
    """Where the database is, and whether its schema fits. Starts nothing."""
    from db import schema
    from db.embedded import server as embedded
    from db.engine import open_database, server_facts
    from db.errors import WindowshopError
    from db.settings import Settings

    settings = Settings.read()
    if settings.database_url is None:
        state = embedded.status(settings.home)
        typer.echo(f"embedded server: {'running, pid ' + str(state.pid) if state.running else 'not running'}")
        typer.echo(f"data: {state.data}")
        if not state.running:
            return
        typer.echo(f"port: {state.port}{', kept running' if state.kept else ''}")
    with open_database(settings) as database, database.connect(None) as conn:
        facts = server_facts(conn)
        typer.echo(f"PostgreSQL {facts['postgresql']}, pgvector {facts['pgvector'] or 'not installed'}")
        try:
            schema.check(conn)
            typer.echo(f"schema: revision {schema.HEAD}, as this code needs it")
        except WindowshopError as error:
            typer.echo(f"schema: {error.message}. {error.hint}")


@server.command()
def url(
    role: RoleOption = None,
    show_password: Annotated[bool, typer.Option(help="Print the password as part of the address.")] = True,
) -> None:
    """Print a postgresql:// address, for psql and other programs: psql "$(windowshop db url --role analyst)"."""
    from db.engine import open_database
    from db.settings import Settings

    with open_database(Settings.read(), on_progress=_say) as database:
        address = database.url(role).set(drivername="postgresql")
        if role is not None and not database.is_embedded:
            address = address.update_query_dict({"options": f"-c role={database.roles[role]}"})
        typer.echo(address.render_as_string(hide_password=not show_password))


@server.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, role: RoleOption = None) -> None:
    """Open psql; everything after the options is passed on: windowshop db psql --role analyst -c "SELECT 1"."""
    from db.embedded import server as embedded
    from db.engine import open_database
    from db.settings import Settings

    settings = Settings.read()
    with open_database(settings, on_progress=_say) as database:
        address = database.url(role)
        program = "psql"
        environment: dict[str, str] = {}
        if database.is_embedded:
            path, environment = embedded.binary(settings.home, "psql")
            program = str(path)
        if address.password:  # not on the command line, where every user of the machine can read it
            environment = {**environment, "PGPASSWORD": str(address.password)}
        if role is not None and not database.is_embedded:
            environment = {**environment, "PGOPTIONS": f"-c role={database.roles[role]}"}
        target = address._replace(drivername="postgresql", password=None).render_as_string()
        try:
            done = subprocess.run(
                [program, "-d", target, *context.args], env={**os.environ, **environment}, check=False
            )
        except FileNotFoundError:
            from db.errors import SettingsError

            raise SettingsError("psql is not installed", hint="Install PostgreSQL's client programs.") from None
    raise typer.Exit(done.returncode)


def search(
    text: Annotated[str | None, typer.Argument(help="What it looks like: 'black leather backpack'.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to search by, alone or together with the text.")] = None,
    filter_: Annotated[
        str | None, typer.Option("--filter", help='A filter as JSON: {"price": {"lt": 80}, "product_type": "bags"}.')
    ] = None,
    where: Annotated[
        str | None, typer.Option(help='Instead: an SQL condition, on plain ordered SQL: "price < 80 OR price IS NULL".')
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many results.", min=1, max=1000)] = 10,
    show_sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Search products by what they look like and what their words say.

    Pictures, titles and keywords are ranked together by shop.search; --sql shows the statement. Runs as the read-only
    role analyst. A text that was never asked before needs a running encoder ("windowshop up" or "windowshop encode").
    """
    import json

    from db import schema
    from db.engine import open_database
    from db.search.statement import Query, row_as_json
    from db.search.statement import search as run_search
    from db.settings import Settings
    from windowshop.output.hits import picture_bytes, print_hits, shown_sql

    settings = Settings.read()
    query = Query(text, picture_bytes(image) if image else None, filter_, where, k)
    if show_sql:
        typer.echo(shown_sql(query, image))
        return
    with open_database(settings) as database, database.connect(Role.ANALYST, read=True) as conn:
        schema.check(conn)
        conn.exec_driver_sql("set transaction read only")
        conn.exec_driver_sql(f"set local statement_timeout = {settings.statement_timeout_ms}")
        hits = run_search(conn, query)
    if as_json:
        typer.echo(json.dumps([row_as_json(hit) for hit in hits], ensure_ascii=False, indent=2))
    else:
        print_hits(hits)


def calibrate(
    target: Annotated[float, typer.Option(help="Recall@k the index has to reach.", min=0.5, max=0.9999)] = 0.98,
    k: Annotated[int, typer.Option("-k", help="Results of the searches that are measured.", min=1, max=100)] = 10,
    queries: Annotated[int, typer.Option(help="How many queries are tried.", min=5, max=1000)] = 150,
) -> None:
    """Measure the encoded catalog, so that every search takes its faster route at the recall asked for.

    Worth running after a first load and whenever the catalog has doubled. Texts that people asked are the queries,
    pictures of the catalog as long as there are none. Search goes by the result from then on; shop.calibration keeps
    every run.
    """
    from db import schema
    from db.engine import open_database
    from db.search.calibration import calibrate as run
    from db.settings import Settings
    from windowshop.output.hits import print_calibration

    with open_database(Settings.read()) as database, database.connect(Role.APP) as conn, conn.begin():
        schema.check(conn)
        _say("Measuring; half a minute for 100,000 products")
        print_calibration(run(conn, target_recall=target, k=k, queries=queries))


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
