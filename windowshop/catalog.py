"""Defines the commands of `windowshop catalog`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from windowshop.output.terminal import say

if TYPE_CHECKING:
    from db.catalog.catalogs import CatalogCounts
    from db.engine import Database

app = typer.Typer(
    no_args_is_help=True,
    help="Catalogs: list all, delete one, load the sample. To create a catalog, load products into it: "
    "windowshop load --catalog NAME",
)

BATCH_PRODUCTS = 2_000  # a transaction deletes at most this many products, so that it holds row locks only briefly


@app.command("list")
def list_catalogs(as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False) -> None:
    """List the catalogs, with the language and the number of products, images, judgements and events of each."""
    from dataclasses import asdict

    from rich import box
    from rich.console import Console
    from rich.table import Table

    from db import schema
    from db.catalog.catalogs import every_catalog
    from db.engine import open_database
    from db.roles import Role
    from db.settings import Settings

    with open_database(Settings.read(), on_progress=say) as database, database.connect(Role.ANALYST) as conn:
        schema.check(conn)
        catalogs = every_catalog(conn)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in catalogs], indent=2))
        return
    if not catalogs:
        typer.echo('There is no catalog yet. Load one: "windowshop load products.csv"')
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("catalog", overflow="fold")
    table.add_column("language")
    for name in ("products", "images", "judgements", "events"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in catalogs:
        counts = (one.products, one.images, one.judgements, one.events)
        table.add_row(one.catalog, one.language, *(f"{count:,}" for count in counts))
    Console().print(table)


@app.command()
def drop(
    name: Annotated[str, typer.Argument(help='Name of the catalog. "windowshop catalog list" lists all catalogs.')],
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking for confirmation.")] = False,
) -> None:
    """Delete a catalog with everything that belongs to it.

    The command deletes the catalog's products with their images and vectors, waiting work, judgements, evaluations,
    events, synonyms, rules and watches. It keeps image files, other catalogs, models, calibrations and the cache of
    query texts. Products are deleted in batches, and searches continue. After an interruption, run the command again.
    """
    from db import schema
    from db.catalog.catalogs import every_catalog
    from db.engine import open_database
    from db.errors import SettingsError
    from db.settings import Settings

    with open_database(Settings.read(), on_progress=say) as database:
        with database.connect(None) as conn:
            schema.check(conn)
            catalogs = {one.catalog: one for one in every_catalog(conn)}
        if name not in catalogs:
            known = ", ".join(catalogs) or "none yet"
            raise SettingsError(f'there is no catalog "{name}"', hint=f"The catalogs are: {known}.")
        found = catalogs[name]
        if not yes:
            typer.confirm(f"Delete catalog {name}: {_counted(found)}?", abort=True)
        products = _drop(database, found)
    typer.echo(f"Catalog {name} is deleted, with {products:,} products.")


def _drop(database: "Database", found: "CatalogCounts") -> int:
    """Delete the catalog as the administrator, because no other login may delete rows of shop.catalog.

    Returns the number of deleted products.
    """
    from db.catalog import catalogs
    from windowshop.output.progress import progress_bar

    with (
        database.connect(None) as conn,
        progress_bar(f"Deleting catalog {found.catalog}", found.products, counted=True) as bar,
    ):
        with conn.begin():
            roots = catalogs.image_roots(conn, found.catalog)
        deleted = 0
        while True:
            with conn.begin():
                count = catalogs.delete_products(conn, found.catalog, BATCH_PRODUCTS)
                if not count:
                    catalogs.forget(conn, found.catalog, roots)
                    return deleted
            deleted += count
            bar.update(deleted, max(deleted, found.products))


def _counted(found: "CatalogCounts") -> str:
    return (
        f"{found.products:,} products, {found.images:,} images, {found.judgements:,} judgements, "
        f"{found.events:,} events"
    )


@app.command()
def sample() -> None:
    """Load the sample, 1,242 drawings with made-up prices and availability, into the catalog "sample"."""
    from db.engine import open_database
    from db.settings import Settings
    from loader.sample import CATALOG, load_sample
    from windowshop.output.progress import progress_bar

    with open_database(Settings.read(), on_progress=say) as database, progress_bar("Loading") as bar:
        loaded = load_sample(database, catalog=CATALOG, on_progress=bar.update)
    typer.echo(f"{loaded.read} products: {loaded.inserted} new, {loaded.unchanged} unchanged.")
