"""Defines the commands `windowshop watch add|list|matches|remove`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from windowshop.transaction import as_app

app = typer.Typer(
    no_args_is_help=True,
    help="Searches that report each new product that matches them. See docs/watches.md.",
)

Name = Annotated[str, typer.Argument(help="The watch's name, unique in its catalog.")]
InCatalog = Annotated[str, typer.Option("--catalog", help="The catalog whose products are compared.")]


def _option(catalog: str) -> str:
    """Returns the option that names the catalog in a hint."""
    return "" if catalog == "main" else f" --catalog {catalog}"


@app.command()
def add(
    name: Name,
    query: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="The text that a product resembles.")] = None,
    image: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="An image file that a product resembles.")
    ] = None,
    filter_: Annotated[str | None, typer.Option("--filter", help="The filter that a product passes, as JSON.")] = None,
    catalog: InCatalog = "main",
    min_similarity: Annotated[
        float | None,
        typer.Option(help="Least cosine similarity of the product's image. Default: see docs/watches.md."),
    ] = None,
) -> None:
    """Create a watch. From now on, each product that becomes searchable is compared with it:

    windowshop watch add red-shoes "red shoes" --filter '{"price": {"lt": 80}}'
    """
    from db.search import watches

    data = None if image is None else image.read_bytes()
    as_app(
        lambda conn: watches.add(
            conn, name, query=query, image=data, filter_=filter_, catalog=catalog, min_similarity=min_similarity
        )
    )
    typer.echo(f"Watching. See: windowshop watch matches {name}{_option(catalog)}")


@app.command("list")
def list_watches(catalog: InCatalog = "main") -> None:
    """List the watches of a catalog, and why a watch is disabled."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    from db.search import watches

    found = as_app(lambda conn: watches.listed(conn, catalog))
    if not found:
        typer.echo("There is no watch in this catalog. See: windowshop watch add --help")
        return
    columns = [Column(name, overflow="fold") for name in ("watch", "text", "image", "filter", "state")]
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for one in found:
        state = "in use" if one.disabled_at is None else f"disabled since {one.disabled_at:%Y-%m-%d %H:%M}: {one.error}"
        table.add_row(one.name, one.query or "", "yes" if one.has_image else "", one.filter or "", state)
    Console(markup=False).print(table)


@app.command()
def matches(
    name: Name,
    catalog: InCatalog = "main",
    after: Annotated[int, typer.Option(min=0, help="Print only matches after the match with this number.")] = 0,
    rows: Annotated[int, typer.Option("-n", min=1, max=1000, help="Print at most this many matches.")] = 100,
) -> None:
    """Print the products that a watch has found, the oldest first: match, time, SKU and title, separated by tabs."""
    from db.errors import SettingsError
    from db.search import watches

    def read(conn: Any) -> Any:
        if watches.find(conn, name, catalog) is None:
            raise SettingsError(
                f'there is no watch "{name}" in catalog {catalog}', hint=f"See: windowshop watch list{_option(catalog)}"
            )
        return watches.matches(conn, name, catalog, after=after, rows=rows)

    for one in as_app(read):
        typer.echo(f"{one.match_id}\t{one.matched_at:%Y-%m-%d %H:%M:%S}\t{one.sku}\t{one.title}")


@app.command()
def remove(name: Name, catalog: InCatalog = "main") -> None:
    """Delete a watch with its matches."""
    from db.errors import SettingsError
    from db.search import watches

    if not as_app(lambda conn: watches.remove(conn, name, catalog)):
        raise SettingsError(
            f'there is no watch "{name}" in catalog {catalog}', hint=f"See: windowshop watch list{_option(catalog)}"
        )
    typer.echo("Removed.")
