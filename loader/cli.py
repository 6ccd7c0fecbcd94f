"""`windowshop load` and `windowshop judge`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from loader.summary import Summary


def load(
    path: Annotated[Path, typer.Argument(help="A catalog file, or a folder that holds one, or a folder of pictures.")],
    catalog: Annotated[
        str, typer.Option(help="Which catalog the rows belong to; a SKU is unique in its catalog.")
    ] = "main",
    format_: Annotated[
        str | None, typer.Option("--format", help="shopee, delimited or folder. Default: found by looking.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help='Which column holds a field: --map title="Item name".'),
    ] = None,
    image_root: Annotated[
        Path | None,
        typer.Option(help="The folder picture paths start at. Default: the catalog's own (Shopee: train_images)."),
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected rows are listed. Default: NAME.rejects.csv in this folder.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every row, count what would change, change nothing.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only this many rows.")] = None,
) -> None:
    """Load a catalog: new rows go in, changed rows are updated, equal rows are not touched or encoded again.

    \b
    windowshop load products.csv                      columns by their usual names: sku, title, price, image ...
    windowshop load export.csv --map sku=Code --map title="Item name" --image-root pictures
    windowshop load shopee-product-matching/          train.csv and train_images/
    windowshop load pictures/                         a product for each picture; titles from the file names

    Rows that cannot be loaded are listed with line and reason, the others are loaded, and the exit code is 6.
    """
    from db.engine import open_database
    from db.settings import Settings
    from loader.ingest import check_catalog, ingest
    from loader.sources import open_source, parse_format, parse_mapping

    settings = Settings.read()
    check_catalog(catalog)
    # before the database: a wrong path must not wait for an embedded server to start
    source = open_source(path, kind=parse_format(format_), mapping=parse_mapping(map_ or []), image_root=image_root)
    with open_database(settings, on_progress=_say) as database, _progress_bar() as progress:
        task = progress.add_task(f"Loading {source.path.name}", total=None)
        summary = ingest(
            database,
            source,
            catalog=catalog,
            rejects=rejects,
            dry_run=dry_run,
            limit=limit,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    _report(summary)
    summary.raise_if_rejected()


def judge(
    path: Annotated[
        Path, typer.Argument(help="A table with the columns query (or picture, or picture_sku), sku, grade.")
    ],
    suite: Annotated[str, typer.Option(help="Of rows that name none in a column suite.")] = "default",
    catalog: Annotated[str, typer.Option(help="Of rows that name none in a column catalog.")] = "main",
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected rows are listed. Default: NAME.rejects.csv in this folder.")
    ] = None,
) -> None:
    """Load judgements, which "windowshop evaluate" measures search against: this product answers that query so well.

    \b
    query,sku,grade
    black leather backpack,B-1022,3                   3: exactly what was meant
    black leather backpack,B-0310,1                   1: acceptable; 0: wrong; what is not listed counts as wrong

    Instead of query, or beside it: picture (a file below the table's folder) or picture_sku (the first picture of that
    product, which is then left out of the results). A product judged again gets its new grade. Rows that cannot be
    loaded are listed with line and reason, the others are loaded, and the exit code is 6.
    """
    from db.engine import open_database
    from db.settings import Settings
    from loader.ingest import check_catalog
    from loader.judgements import load_judgements

    settings = Settings.read()
    check_catalog(catalog)
    with open_database(settings, on_progress=_say) as database, _progress_bar() as progress:
        task = progress.add_task(f"Loading {path.name}", total=None)
        done = load_judgements(
            database,
            path,
            suite=suite,
            catalog=catalog,
            rejects=rejects,
            on_progress=lambda read, total: progress.update(task, completed=read, total=total),
        )
    typer.echo(
        f"{done.read:,} judgements of {done.path}: {done.added:,} new, {done.changed:,} changed, "
        f"{done.unchanged:,} unchanged, {done.rejected:,} rejected"
    )
    if done.unknown:
        shown = ", ".join(done.unknown[:5]) + (", ..." if len(done.unknown) > 5 else "")
        _say(f"warning: judged products not in the catalog, which count for nothing: {len(done.unknown):,} ({shown})")
    done.raise_if_rejected()


def _progress_bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _report(summary: "Summary") -> None:
    typer.echo(
        f"{summary.read:,} rows of {summary.path} ({summary.source}), catalog {summary.catalog}: "
        f"{summary.inserted:,} new, {summary.updated:,} changed, {summary.unchanged:,} unchanged, "
        f"{summary.rejected:,} rejected; pictures changed: {summary.pictures:,}"
    )
    for count, what in (
        (summary.missing_files, "pictures not on this disk, which the encoder will report"),
        (summary.without_picture, "products without a picture, which picture search will not find"),
        (summary.dropped_hashes, "malformed picture hashes left out, which the encoder will make"),
    ):
        if count:
            typer.echo(f"warning: {what}: {count:,}", err=True)
    if summary.dry_run:
        typer.echo("Dry run: nothing was changed.")
