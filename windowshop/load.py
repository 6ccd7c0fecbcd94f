"""Defines the commands `windowshop load` and `windowshop judge`."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loader.formats import Format
from windowshop.feed import located
from windowshop.output.terminal import say, tell, tell_now

if TYPE_CHECKING:
    from db.engine import Database
    from loader.ingest import LoadOptions
    from loader.sources import CatalogSource
    from loader.summary import LoadSummary
    from loader.sync import SyncOptions

PRICELESS = (Format.FOLDER, Format.SHOPEE)  # formats without prices

CatalogPath = Annotated[
    str,
    typer.Argument(
        help="A catalog file, its http or https address, a folder with one catalog file, a folder of images, or - for "
        "the standard input.",
        metavar="PATH",
    ),
]
LoadCatalog = Annotated[str, typer.Option(help="The catalog that the rows belong to. A SKU is unique in its catalog.")]
FormatName = Annotated[
    str | None,
    typer.Option("--format", help=f"{', '.join(Format)}. Default: the format is recognised from the content."),
]
Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help='The column that holds a field: --map title="Item name". Repeat --map for other fields, or for a '
        "field that several columns hold. In JSON, a column may be a path: --map price=offer.amount.",
    ),
]
ValueMapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map-values",
        metavar="FIELD:VALUE=VALUE",
        help='Replace a value of a field: --map-values "availability:nur im Laden=in_stock".',
    ),
]
Currency = Annotated[
    str | None, typer.Option(metavar="CODE", help="The currency, such as EUR, of prices without a currency.")
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The encoding of the text, such as windows-1252. Default: UTF-16 if the file's first bytes show it, "
        "otherwise UTF-8.",
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="The address at which relative addresses of images and links start. Default for a file at a web address: "
        "that web address.",
    ),
]
MappingFile = Annotated[
    Path | None,
    typer.Option(help='A TOML file with lines such as title = "Item name". --map takes precedence over the file.'),
]
ImageRoot = Annotated[
    Path | None,
    typer.Option(
        help="The folder where image paths start. Default: the folder of the catalog file (Shopee: train_images)."
    ),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        help="The file that lists rejected rows. Default: a file in the current working directory, such as "
        "products.rejects.csv for products.csv."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check every row and count the changes, but change nothing.")]
RowLimit = Annotated[int | None, typer.Option(min=1, help="Read only this many rows.")]
WithSync = Annotated[
    bool, typer.Option("--sync", help="Mark products as out of stock if the catalog has them but the file lacks them.")
]
Delete = Annotated[
    bool,
    typer.Option("--delete", help="With --sync: delete the products that the file lacks, instead of marking them."),
]
MaxMissing = Annotated[
    str | None,
    typer.Option(
        help="With --sync: the largest number or share of missing products, such as 500 or 20%. If more products are "
        "missing, none of these products is changed. Default: 20%."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Reject a row with a faulty value, instead of loading it without the value.")
]
Ignore = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="COLUMN", help="A column that does not become an attribute.")
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="COLUMN",
        help="Load this column as an attribute, although its name looks private. By default, a column such as cost is "
        "not loaded.",
    ),
]
Watch = Annotated[
    str | None,
    typer.Option(
        metavar="INTERVAL",
        help="Load the file again when it changes. It is checked at this interval, such as 30s, 15m or 2h.",
    ),
]


def load(
    path: CatalogPath,
    catalog: LoadCatalog = "main",
    format_: FormatName = None,
    map_: Mapping = None,
    map_file: MappingFile = None,
    map_values: ValueMapping = None,
    currency: Currency = None,
    encoding: Encoding = None,
    base_url: BaseUrl = None,
    image_root: ImageRoot = None,
    rejects: Rejects = None,
    dry_run: DryRun = False,
    limit: RowLimit = None,
    sync: WithSync = False,
    delete: Delete = False,
    max_missing: MaxMissing = None,
    watch: Watch = None,
    strict: Strict = False,
    ignore: Ignore = None,
    keep: Keep = None,
) -> None:
    """Load a catalog. New rows are added, changed rows are updated, and equal rows are neither written nor encoded
    again.

    \b
    windowshop load products.csv                      columns by their usual names: sku, title, price, image ...
    windowshop load export.csv --map sku=Code --map title="Item name" --image-root images
    windowshop load feed.xml.gz                       a Google Merchant feed: XML, delimited or JSON Lines
    windowshop load products_export.csv               an export of Shopify, WooCommerce, Magento, Etsy ...
    windowshop load products.jsonl                    JSON Lines; schema.org JSON-LD and Parquet work too
    windowshop load shopee-product-matching/          train.csv and train_images/
    windowshop load images/                           a product for each image; titles from the file names
    windowshop load feed.tsv --sync --watch 15m       keep the catalog equal to a feed
    windowshop load https://shop.example/feed.xml     a feed at a web address
    export-products | windowshop load -               a feed from a pipe

    If rows cannot be loaded, they are listed with line and reason, the other rows are loaded, and the exit code is 6.
    """
    from db.engine import open_database
    from db.settings import Settings
    from loader.ingest import LoadOptions, check_catalog
    from loader.mapping import parse_changes, parse_format, parse_mapping
    from loader.sources import open_source
    from loader.watch import parse_interval
    from loader.watch import watch as watch_file

    settings = Settings.read()
    check_catalog(catalog)
    kind, mapping = parse_format(format_), parse_mapping(map_ or [], map_file)
    interval = parse_interval(watch) if watch is not None else None
    synced = _sync_options(sync, delete, max_missing)
    with located(path, is_watched=interval is not None) as feed:
        base = base_url or (feed.base_url if image_root is None else None)
        changes = parse_changes(map_values or [], map_file, currency, base)
        options = LoadOptions(catalog, rejects, dry_run, limit, synced, feed.shown, strict, image_root is None)

        def opened() -> "CatalogSource":
            return open_source(
                feed.path,
                kind=kind,
                mapping=mapping,
                image_root=image_root or feed.image_root,
                kept=keep or (),
                ignored=ignore or (),
                encoding=encoding,
                changes=changes,
            )

        first = feed.state()
        source = opened()  # before the embedded server starts, so that a wrong path is reported without delay
        with open_database(settings, on_progress=say) as database:
            if interval is not None:
                with suppress(KeyboardInterrupt):
                    watch_file(lambda: _ingest(database, opened(), options), feed.state, first, interval, tell_now)
                return
            summary = _ingest(database, source, options, on_failure=_report)
        _report(summary)
        summary.raise_if_incomplete()


def _sync_options(sync: bool, delete: bool, max_missing: str | None) -> "SyncOptions | None":
    from db.errors import SettingsError
    from loader.sync import MissingLimit, SyncOptions

    if sync:
        return SyncOptions(delete, MissingLimit.parse(max_missing or "20%"))
    if delete or max_missing is not None:
        raise SettingsError("--delete and --max-missing work only with --sync", hint="Add --sync.")
    return None


def _ingest(
    database: "Database",
    source: "CatalogSource",
    options: "LoadOptions",
    on_failure: Callable[["LoadSummary"], None] = lambda summary: None,
) -> "LoadSummary":
    """Load with a progress bar. If the load fails, `on_failure` gets the summary after the bar is removed."""
    from loader.ingest import ingest
    from windowshop.output.progress import progress_bar

    failed: list[LoadSummary] = []
    try:
        with progress_bar(f"Loading {source.path.name}") as bar:
            return ingest(
                database,
                source,
                options,
                on_progress=bar.update,
                on_index=lambda name, phase, share: bar.update(share, 1, f"Building {name}, {phase}"),
                on_failure=failed.append,
            )
    except BaseException:
        for summary in failed:
            on_failure(summary)
        raise


def judge(
    path: Annotated[
        Path,
        typer.Argument(help="A table with the columns query (or picture, or picture_sku), sku, and perhaps grade."),
    ],
    suite: Annotated[str, typer.Option(help="The suite for rows that name no suite.")] = "default",
    catalog: Annotated[str, typer.Option(help="The catalog for rows that name no catalog.")] = "main",
    rejects: Rejects = None,
) -> None:
    """Load judgements of how well products answer queries. "windowshop evaluate" measures search by them.

    \b
    query,sku,grade                                   a row without a grade has grade 1
    black leather backpack,B-1022,3                   3: exactly what was searched for
    black leather backpack,B-0310,1                   1: acceptable; 0: wrong, like a product without a judgement

    A row may have an image instead of the text, or both. The column picture names an image file below the table's
    folder. The column picture_sku names a product: its first image is the query, and the results exclude the product.
    If a product has a grade for the same query of the suite, the new grade replaces it. If rows cannot be loaded, they
    are listed with line and reason, the other rows are loaded, and the exit code is 6.
    """
    from db.engine import open_database
    from db.settings import Settings
    from loader.ingest import check_catalog
    from loader.judgements import load_judgements
    from windowshop.output.progress import progress_bar

    settings = Settings.read()
    check_catalog(catalog)
    with open_database(settings, on_progress=say) as database, progress_bar(f"Loading {path.name}") as bar:
        done = load_judgements(
            database,
            path,
            suite=suite,
            catalog=catalog,
            rejects=rejects,
            on_progress=bar.update,
        )
    typer.echo(
        f"{done.read:,} judgements of {done.path}: {done.added:,} new, {done.changed:,} changed, "
        f"{done.unchanged:,} unchanged, {done.rejected:,} rejected"
    )
    if done.unknown:
        shown = ", ".join(done.unknown[:5]) + (", ..." if len(done.unknown) > 5 else "")
        say(f"warning: judged products that are not in the catalog and do not count: {len(done.unknown):,} ({shown})")
    done.raise_if_rejected()


def _report(summary: "LoadSummary") -> None:
    from windowshop.output.columns import print_columns

    print_columns(summary)
    tell(summary.line())
    for count, what in (
        (summary.missing_files, "image files that are not on this disk; the encoder will report these files"),
        (summary.without_image, "products without an image; image search will not find these products"),
        (summary.dropped_hashes, "malformed image hashes, which are ignored; the encoder will compute the hashes"),
    ):
        if count:
            say(f"warning: {what}: {count:,}")
    if summary.private:
        say(f"warning: private columns that are not loaded: {', '.join(summary.private)}; to load one: --keep COLUMN")
    if summary.accepted and summary.without_price == summary.accepted and summary.source not in PRICELESS:
        say("warning: no product has a price; name the column with --map price=COLUMN")
    for field, lost in summary.warnings.items():
        if lost.count:
            say(f"warning: faulty values of {field}: {lost.count:,}; the first, on line {lost.line}: {lost.reason}")
    if summary.ended_early and summary.first_reject:
        say(f"warning: the first rejected row: line {summary.first_reject.line}: {summary.first_reject.reason}")
    if summary.dry_run:
        tell("Dry run: nothing was changed.")
