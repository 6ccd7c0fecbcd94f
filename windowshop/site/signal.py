"""Defines the commands `windowshop signal add|list|set-weight|drop|refresh`."""

from typing import Annotated

import typer

from db.functions.constants import MAX_SIGNAL_WEIGHT
from windowshop.transaction import as_app

app = typer.Typer(
    no_args_is_help=True,
    help="Signals: a number for each product, such as its stock, that changes the ranking. See docs/relevance.md.",
)

Name = Annotated[str, typer.Argument(help="The signal's name.")]
_HINT = "See: windowshop signal list"


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name: small letters, digits and underscores, a letter first.")],
    view: Annotated[str, typer.Argument(help="A view or table with a row for each product, such as erp.margin.")],
    column: Annotated[str, typer.Option(help="The column with the number.")] = "value",
    key: Annotated[str, typer.Option(help="The column that names the product: product_id or sku.")] = "product_id",
    normalise: Annotated[
        str, typer.Option(help="How the number is mapped to the range 0 to 1: percentile, log, or decay (by age).")
    ] = "percentile",
    half_life: Annotated[
        str | None, typer.Option(help='With decay: the age at which the value is half. Default: "30 days".')
    ] = None,
    weight: Annotated[float, typer.Option(help="Weight, from -10 to 10, in searches that set no other weight.")] = 0.0,
    visible: Annotated[str, typer.Option(help="all, or staff: only the group app sees what the signal adds.")] = "all",
    catalog: Annotated[
        str | None, typer.Option(help="With --key sku: the catalog of all rows. Default: the view's column catalog.")
    ] = None,
) -> None:
    """Rank searches by a column of a view. Each search reads the column live:

    windowshop signal add margin erp.margin --weight 0.3

    windowshop signal add reviews erp.reviews --key sku --catalog main --column stars --normalise log

    The group app needs rights: GRANT USAGE ON SCHEMA erp TO shop_app; GRANT SELECT ON erp.margin TO shop_app;
    """
    from db.search import signals

    as_app(
        lambda conn: signals.add(
            conn,
            name,
            view,
            value_column=column,
            key=key,
            normalise=normalise,
            half_life=half_life,
            weight=weight,
            visible=visible,
            catalog=catalog,
        )
    )
    typer.echo("Added." if weight else f"Added with weight 0. To use it: windowshop signal set-weight {name} 0.3")


@app.command("list")
def list_signals() -> None:
    """List the signals, their weights, and why a signal cannot be read."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db.search import signals

    columns = [
        Column(name, overflow="fold") for name in ("signal", "view", "weight", "visible", "refreshed", "problem")
    ]
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for one in as_app(signals.state):
        refreshed = "" if one.refreshed_at is None else f"{one.refreshed_at:%Y-%m-%d %H:%M}"
        table.add_row(
            one.name, one.source or "built in", f"{one.weight:g}", one.visible, refreshed, one.problem or "none"
        )
    Console(markup=False).print(table)


@app.command(context_settings={"ignore_unknown_options": True})  # a weight such as -0.5 is no option
def set_weight(
    name: Name,
    weight: Annotated[
        float,
        typer.Argument(
            min=-MAX_SIGNAL_WEIGHT, max=MAX_SIGNAL_WEIGHT, help="The weight. If it is 0, the signal is not read."
        ),
    ],
) -> None:
    """Set the weight of a signal in searches that set no other weight:

    windowshop signal set-weight stock 0.2
    """
    from db.errors import SettingsError
    from db.search import signals

    if not as_app(lambda conn: signals.set_weight(conn, name, weight)):
        raise SettingsError(f'there is no signal "{name}"', hint=_HINT)
    typer.echo(f"{name} has the weight {weight:g}.")


@app.command()
def drop(name: Name) -> None:
    """Remove a signal. The role that added it, or an administrator, may do so. The view stays."""
    from db.search import signals

    as_app(lambda conn: signals.drop(conn, name))
    typer.echo("Removed.")


@app.command()
def refresh() -> None:
    """Compute the popularity, and the distribution of each signal. "windowshop jobs" does so every hour."""
    from db.search import signals

    count = as_app(signals.refresh)
    typer.echo(f"Refreshed the popularity and {count} other signal{'' if count == 1 else 's'}.")
