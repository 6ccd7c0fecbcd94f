"""Defines the commands `windowshop serve`, `windowshop mcp` and `windowshop key create|list|revoke`."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from windowshop.output.terminal import say
from windowshop.transaction import as_administrator

key_app = typer.Typer(
    no_args_is_help=True,
    help="API keys of the web service. The database stores only a hash; a key is shown once, when it is created.",
)


def serve(
    host: Annotated[
        str | None, typer.Option(help="The address to listen at. Default: WINDOWSHOP_WEB_HOST, or else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="The port to listen at; 0 chooses a free port. Default: WINDOWSHOP_WEB_PORT, or else 8000.",
            min=0,
            max=65535,
        ),
    ] = None,
) -> None:
    """Serve the search page and the REST API until Ctrl-C or SIGTERM. The service then finishes the open requests.

    Queries that were not encoded before need a running encoder ("windowshop encode"). /openapi/openapi.json describes
    the API.
    """
    from db import schema
    from db.engine import open_database
    from db.errors import DatabaseUnreachable, SettingsError
    from db.roles import Role
    from db.settings import Settings
    from web.settings import WebSettings
    from windowshop.output.warming import warming

    try:
        from web.server import serve as run
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the web service needs the package {error.name}", hint="Run: pip install 'windowshop[web]'"
        ) from error

    given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    settings = WebSettings.read().model_copy(update=given)
    with open_database(Settings.read(), on_progress=say) as database:
        with database.connect(Role.WEB_READER, read=True) as conn:
            schema.check(conn)
        # A wrong login for writing is refused now. A primary that does not answer is accepted, because searches work
        # without the primary.
        with suppress(DatabaseUnreachable), database.connect(Role.WEB_WRITER):
            pass
        with warming(database, Role.WEB_READER):
            run(database, settings, on_ready=lambda address: say(f"Serving at {address}"))


def mcp() -> None:
    """Offer the searches to an assistant on stdin and stdout, by the Model Context Protocol, until stdin ends.

    The assistant starts this command. The command reads all products, or those that the key in WINDOWSHOP_WEB_MCP_KEY
    allows. The web service offers the same at /mcp. docs/mcp.md describes both.
    """
    from db import api_keys, schema
    from db.engine import open_database
    from db.errors import SettingsError
    from db.roles import Role
    from db.settings import Settings
    from web.settings import WebSettings

    try:
        from web.mcp.stdio import serve as run
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"windowshop mcp needs the package {error.name}", hint="Run: pip install 'windowshop[web,mcp]'"
        ) from error

    settings = WebSettings.read()
    with open_database(Settings.read(), on_progress=say) as database:
        with database.connect(Role.WEB_READER, read=True) as conn:
            schema.check(conn)
            key = settings.mcp_key
            if key is not None and api_keys.find(conn, key.get_secret_value()) is None:
                raise SettingsError("WINDOWSHOP_WEB_MCP_KEY: this API key is unknown, revoked or expired")
        run(database, settings)


@key_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name for the key's purpose, 1 to 63 characters: a-z, 0-9, _ . -")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="search; write, which includes search; or admin, which includes both. Default: search."),
    ] = None,
    catalog: Annotated[
        list[str] | None, typer.Option(help="A catalog that the key allows; repeatable. Default: all catalogs.")
    ] = None,
    filter_: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="JSON",
            help='A filter, such as \'{"brand": "Acme"}\'. The key reads only products that pass the filter. Only for '
            "the scope search.",
        ),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            help="When the key stops working, in UTC. Default: never.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
        ),
    ] = None,
) -> None:
    """Create a key and print it.

    Examples:

        windowshop key create shop-front

        windowshop key create berlin-feed --scope write --catalog berlin --expires 2027-12-31

        windowshop key create dealer --catalog main --filter '{"brand": "Acme"}'
    """
    import json
    import re

    from db import api_keys
    from db.errors import SettingsError

    scopes = scope or ["search"]
    if unknown := sorted(set(scopes) - set(api_keys.SCOPES)):
        raise SettingsError(f"there is no scope {unknown[0]}", hint=f"The scopes: {', '.join(api_keys.SCOPES)}.")
    if filter_ is not None and scopes != ["search"]:
        raise SettingsError("--filter: a key with a filter can only have the scope search")
    try:
        given = None if filter_ is None else json.loads(filter_)
    except ValueError as error:
        raise SettingsError(f"--filter is not JSON: {error}", hint="docs/filters.md describes filters.") from error
    if expires is not None and expires.replace(tzinfo=UTC) <= datetime.now(UTC):
        raise SettingsError(f"--expires: {expires} is in the past")
    if re.fullmatch("[a-z0-9][a-z0-9_.-]{0,62}", name) is None:
        raise SettingsError(
            f'"{name}" cannot be the name of a key',
            hint="Use 1 to 63 of the characters a-z, 0-9, _ . and -; the first is a letter or a digit.",
        )

    def create_key(conn: Any) -> str:
        if any(key.name == name and key.revoked_at is None for key in api_keys.every_key(conn)):
            raise SettingsError(f'there is a key "{name}" already', hint=f"windowshop key revoke {name}")
        return api_keys.create(
            conn,
            name,
            scopes,
            catalogs=catalog or None,
            filter_=given,
            expires_at=expires and expires.replace(tzinfo=UTC),
        )

    # The logins for searching and for loading may not read or create keys.
    typer.echo(as_administrator(create_key))


@key_app.command("list")
def list_keys() -> None:
    """List all keys, with their catalogs and filters, and the day when each key was last used."""
    import json

    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db import api_keys

    name, limits = Column("name", overflow="fold"), Column("only", overflow="fold")
    table = Table(name, "scopes", limits, "created", "expires", "used", "revoked", box=box.SIMPLE_HEAD, pad_edge=False)
    for key in as_administrator(api_keys.every_key):
        times = (key.created_at, key.expires_at, key.last_used_at, key.revoked_at)
        shown = ["" if time is None else f"{time:%Y-%m-%d}" for time in times]
        only = [*(key.catalogs or ()), *([json.dumps(key.filter)] if key.filter else ())]
        table.add_row(key.name, ", ".join(key.scopes), " ".join(only), *shown)
    Console().print(table)


@key_app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="The key's name.")]) -> None:
    """Revoke a key. Running services notice within 10 seconds."""
    from db import api_keys
    from db.errors import SettingsError

    if not as_administrator(lambda conn: api_keys.revoke(conn, name)):
        raise SettingsError(f'there is no active key "{name}"', hint="See: windowshop key list")
    typer.echo("Revoked.")
