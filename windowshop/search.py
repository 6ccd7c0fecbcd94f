"""Defines the commands `windowshop search` and `windowshop calibrate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from db.functions.constants import MAX_RESULTS
from db.roles import Role
from windowshop.output.terminal import say

if TYPE_CHECKING:
    from db.settings import Settings


def search(
    text: Annotated[str | None, typer.Argument(help="What the product looks like: 'black leather backpack'.")] = None,
    image: Annotated[Path | None, typer.Option(help="An image to search by, alone or together with the text.")] = None,
    filter_: Annotated[
        str | None, typer.Option("--filter", help='A filter as JSON: {"price": {"lt": 80}, "product_type": "bags"}.')
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help='Query shop.searchable with this SQL condition in place of shop.search: "price < 80 OR price IS NULL".'
        ),
    ] = None,
    catalog: Annotated[
        str | None,
        typer.Option(
            help="The catalog to search. Default: main, or the first catalog with products if main has no products. "
            "With --where, the default is all catalogs."
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(help='Sort the relevant products by fields and signals: "effective_price, popularity desc".'),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of results.", min=1, max=MAX_RESULTS)] = 10,
    show_sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Search products by what they look like and what their words say.

    shop.search ranks images, titles and keywords together; --sql shows the statement. The search runs as the read-only
    role analyst. A text whose vector is not stored needs a running encoder: "windowshop up" or "windowshop encode".
    """
    import json
    from dataclasses import replace

    from db import schema
    from db.catalog.catalogs import DEFAULT, default_catalog
    from db.engine import open_database
    from db.search.image import read_image
    from db.search.statement import Query, row_as_json
    from db.search.statement import search as run_search
    from db.settings import Settings
    from windowshop.output.hits import print_hits, shown_sql

    settings = Settings.read()
    query = Query(text, read_image(image) if image else None, filter_, where, k, catalog, sort)
    if show_sql:
        if catalog is None and where is None:
            query = replace(query, catalog=_known_default(settings))
        typer.echo(shown_sql(query, image))
        return
    with open_database(settings) as database, database.connect(Role.ANALYST, read=True) as conn:
        schema.check(conn)
        conn.exec_driver_sql("set transaction read only")
        conn.exec_driver_sql(f"set local statement_timeout = {settings.statement_timeout_ms}")
        if catalog is None and where is None:
            query = replace(query, catalog=default_catalog(conn) or DEFAULT)
        hits = run_search(conn, query)
    if as_json:
        typer.echo(json.dumps([row_as_json(hit) for hit in hits], ensure_ascii=False, indent=2))
    else:
        print_hits(hits)


def _known_default(settings: "Settings") -> str | None:
    """Return the catalog that a search without --catalog searches, or None if no database can be reached.

    The function does not start the embedded server.
    """
    from db.catalog.catalogs import DEFAULT, default_catalog
    from db.embedded import server
    from db.engine import open_database
    from db.errors import WindowshopError

    if settings.database_url is None and not server.status(settings.home).running:
        return None
    try:
        with open_database(settings) as database, database.connect(Role.ANALYST, read=True) as conn:
            return default_catalog(conn) or DEFAULT
    except WindowshopError:
        return None


def calibrate(
    target: Annotated[float, typer.Option(help="The recall@k that the index must reach.", min=0.5, max=0.9999)] = 0.98,
    k: Annotated[int, typer.Option("-k", help="Number of results of each measured search.", min=1, max=100)] = 10,
    queries: Annotated[int, typer.Option(help="Number of queries to measure.", min=5, max=1000)] = 150,
) -> None:
    """Measure the encoded catalog, so that searches take the faster of the routes that reach the target recall.

    Run this command after the first load, and whenever the catalog has doubled. The queries are the latest searched
    texts, or images of the catalog if fewer than 20 texts are stored or --queries is below 20. Searches use the newest
    result of the serving model. shop.calibration keeps the results of every run. The command measures in steps of a
    second. If it is stopped, the same command continues where it stopped.
    """
    from db import schema
    from db.engine import open_database
    from db.pooler import refuse_transaction_pooler
    from db.search.calibration import calibrate as run
    from db.settings import Settings
    from windowshop.output.hits import print_calibration

    with open_database(Settings.read()) as database:
        refuse_transaction_pooler(database, Role.APP, "a calibration")
        with database.connect(Role.APP) as connection:
            conn = connection.execution_options(isolation_level="AUTOCOMMIT")
            schema.check(conn)
            say("Measuring; this takes a minute for 100,000 products")
            print_calibration(run(conn, target_recall=target, k=k, queries=queries, on_progress=say))
