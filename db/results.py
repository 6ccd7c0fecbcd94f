"""Search results and their SQL as a person reads them."""

import shlex
from pathlib import Path

from psycopg import sql
from rich import box
from rich.console import Console
from rich.table import Table

from db.errors import SettingsError
from db.search import Hit, Query, as_sql

MAX_PICTURE_BYTES = 10 * 1024 * 1024  # as shop.clip_image takes it


def picture_bytes(path: Path) -> bytes:
    """A query picture's bytes. Raises SettingsError when it cannot be read or is over 10 MB."""
    try:
        if not path.is_file():
            raise SettingsError(f"{path} is not a file")
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise SettingsError(f"{path} is larger than 10 MB", hint="Scale it down; models look at 224 to 512 pixels.")
        if path.stat().st_size == 0:
            raise SettingsError(f"{path} is empty")
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error


def shown_sql(query: Query, image: Path | None = None) -> str:
    """The statement as it can be pasted into psql; a picture is read by psql itself."""
    if image is None:
        return as_sql(query).as_string(None) + ";"
    statement = as_sql(query, sql.SQL("decode(:'picture', 'base64')")).as_string(None)
    return f"\\set picture `base64 < {shlex.quote(str(image))}`\n{statement};"


def print_hits(hits: list[Hit], console: Console | None = None) -> None:
    console = console or Console()
    if not hits:
        console.print("No product matches. Is the catalog loaded and encoded? See: windowshop model list")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("sku", no_wrap=True, max_width=16)
    table.add_column("title", no_wrap=True, max_width=40)
    table.add_column("type", no_wrap=True, max_width=18)
    table.add_column("price", no_wrap=True, justify="right", min_width=10)
    table.add_column("similarity", no_wrap=True, justify="right", min_width=10)
    for number, hit in enumerate(hits, 1):
        price = "" if hit.price is None else f"{hit.price} {hit.currency or ''}".strip()
        table.add_row(str(number), hit.sku, hit.title, hit.product_type or "", price, f"{hit.similarity:.3f}")
    console.print(table)
