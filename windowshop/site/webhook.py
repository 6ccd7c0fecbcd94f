"""Defines the commands `windowshop webhook add|list|remove|test`."""

from typing import Annotated

import typer

from windowshop.transaction import as_administrator

app = typer.Typer(
    no_args_is_help=True,
    help='Receivers of messages about products. "windowshop jobs" sends the messages. See docs/webhooks.md.',
)

Name = Annotated[str, typer.Argument(help="The webhook's name.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9, _ . and -; the first is a letter or a digit.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The address to which the messages are sent by POST.")],
    on: Annotated[
        list[str] | None, typer.Option(help="searchable, quarantined or matched; repeatable. Default: all.")
    ] = None,
    catalog: Annotated[
        list[str] | None, typer.Option(help="A catalog whose products are reported; repeatable. Default: all.")
    ] = None,
) -> None:
    """Add a webhook, and print the secret that signs its messages.

    Messages are sent when products become searchable, are quarantined or match a watch. The secret is shown only now.
    With the secret, the receiver checks the signatures of the messages. An example of the command:

        windowshop webhook add erp https://erp.example/hooks/products --on searchable --catalog main
    """
    import re

    from db.errors import SettingsError
    from db.jobs import webhooks
    from db.jobs.settings import JobsSettings

    kinds = list(dict.fromkeys(on or webhooks.KINDS))
    if unknown := sorted(set(kinds) - set(webhooks.KINDS)):
        raise SettingsError(
            f'--on: "{unknown[0]}" is not a kind of message', hint=f"The kinds: {', '.join(webhooks.KINDS)}."
        )
    if re.fullmatch("[a-z0-9][a-z0-9_.-]{0,62}", name) is None:
        raise SettingsError(
            f'"{name}" cannot be the name of a webhook',
            hint="Use 1 to 63 of the characters a-z, 0-9, _ . and -; the first is a letter or a digit.",
        )
    poster = webhooks.make_poster(JobsSettings.read())
    typer.echo(as_administrator(lambda conn: webhooks.add(conn, name, url, kinds, catalog, poster)))


@app.command("list")
def list_webhooks() -> None:
    """List all webhooks, with the number of waiting messages, and the error of the last attempt if it failed."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db.jobs import webhooks

    found = as_administrator(webhooks.every_webhook)
    if not found:
        typer.echo("There is no webhook. See: windowshop webhook add --help")
        return
    columns = [Column(name, overflow="fold") for name in ("webhook", "url", "on, catalogs", "state")]
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
