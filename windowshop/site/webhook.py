"""Defines the commands `windowshop webhook add|list|remove|test`."""

from typing import Annotated

import typer

from windowshop.transaction import as_administrator

app = typer.Typer(
    no_args_is_help=True,
    help='Receivers of messages about products, which "windowshop jobs" sends. See docs/webhooks.md.',
)

Name = Annotated[str, typer.Argument(help="The webhook's name.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name: lower-case letters, digits, and _ . -")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The address to which the messages are sent by POST.")],
    on: Annotated[
        list[str] | None, typer.Option(help="searchable, quarantined or matched; repeatable. Default: all.")
    ] = None,
    catalog: Annotated[
        list[str] | None, typer.Option(help="A catalog whose products are reported; repeatable. Default: all.")
    ] = None,
) -> None:
    """Send messages when products become searchable or are quarantined, and print the secret that signs them.

    The secret is shown only now. The receiver checks the signature with it:

        windowshop webhook add erp https://erp.example/hooks/products --on searchable --catalog main
    """
    import re

    from db.errors import SettingsError
    from db.jobs import webhooks
    from db.jobs.settings import JobsSettings

    kinds = list(dict.fromkeys(on or webhooks.KINDS))
    if unknown := sorted(set(kinds) - set(webhooks.KINDS)):
        raise SettingsError(
            f"--on: there is no message {unknown[0]}", hint=f"The messages: {', '.join(webhooks.KINDS)}."
        )
    if re.fullmatch("[a-z0-9][a-z0-9_.-]{0,62}", name) is None:
        raise SettingsError(
            f'"{name}" cannot be the name of a webhook',
            hint="Use at most 63 lower-case letters, digits, and _ . - and begin with a letter or a digit.",
        )
    poster = webhooks.make_poster(JobsSettings.read())
    typer.echo(as_administrator(lambda conn: webhooks.add(conn, name, url, kinds, catalog, poster)))


@app.command("list")
def list_webhooks() -> None:
    """List all webhooks, the messages that wait, and why the last attempt failed."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db.jobs import webhooks

    found = as_administrator(webhooks.every_webhook)
    if not found:
        typer.echo("There is no webhook. See: windowshop webhook add --help")
        return
    columns = [Column(name, overflow="fold") for name in ("webhook", "url", "on", "state")]
    table = Table(*columns, "accepted", "waiting", box=box.SIMPLE_HEAD, pad_edge=False)
    for one in found:
        state = "in use" if one.disabled_at is None else f"disabled since {one.disabled_at:%Y-%m-%d %H:%M}"
        accepted = "never" if one.delivered_at is None else f"{one.delivered_at:%Y-%m-%d %H:%M}"
        kinds = ", ".join([*one.kinds, *(one.catalogs or ())])
        table.add_row(
            one.name,
            one.url.partition("?")[0],
            kinds,
            ": ".join(filter(None, (state, one.error))),
            accepted,
            str(one.waiting),
        )
    Console(markup=False).print(table)


@app.command()
def remove(name: Name) -> None:
    """Remove a webhook and its waiting messages."""
    from db.errors import SettingsError
    from db.jobs import webhooks

    if not as_administrator(lambda conn: webhooks.remove(conn, name)):
        raise SettingsError(f'there is no webhook "{name}"', hint="See: windowshop webhook list")
    typer.echo("Removed.")


@app.command()
def test(name: Name) -> None:
    """Send the message webhook.test now. If the receiver accepts it, a disabled webhook is in use again."""
    from db.errors import SettingsError
    from db.jobs import webhooks
    from db.jobs.settings import JobsSettings

    poster = webhooks.make_poster(JobsSettings.read())
    failure = as_administrator(lambda conn: webhooks.test(conn, name, poster))
    if failure is not None:
        raise SettingsError(f"the message was not accepted: {failure}")
    typer.echo("The receiver has accepted the message.")
