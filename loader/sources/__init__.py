"""Where rows come from. A new kind is one small file with a `Source`, and a line in `open_source`.

A source checks what concerns the whole (readable, the right format, the needed columns) when it is made, and raises a
LoaderError then; `rows()` streams, and turns whatever concerns one row into a `Reject`.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from db.errors import SettingsError
from loader.errors import NotACatalog, SourceUnreadable
from loader.rows import RawRow, Reject
from loader.sources.delimited import DelimitedSource
from loader.sources.folder import FolderSource
from loader.sources.shopee import FILES, HEADER, ShopeeSource, is_shopee
from loader.sources.table import Table, unreadable

TABLES = frozenset((".csv", ".tsv"))


class Source(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def image_root(self) -> Path:
        """The folder relative picture paths start at; absolute."""

    @property
    def size(self) -> int | None:
        """What `done` will be at the end, for a progress bar; None when nobody knows."""

    @property
    def done(self) -> int:
        """How much of the source has been read, in bytes or files."""

    def rows(self) -> Iterator[RawRow | Reject]:
        """Once. Memory stays bounded whatever the size. Raises SourceUnreadable when the disk fails."""


class Format(StrEnum):
    SHOPEE = "shopee"
    DELIMITED = "delimited"
    FOLDER = "folder"


def open_source(
    path: Path,
    *,
    kind: Format | None = None,
    mapping: Mapping[str, str] | None = None,
    image_root: Path | None = None,
) -> Source:
    """The source at `path`, its format found by looking when none is given. Raises LoaderError or SettingsError."""
    mapping = mapping or {}
    try:
        is_folder = path.is_dir()
        if image_root is not None and not image_root.is_dir():
            raise SourceUnreadable(f"the image root {image_root} is not a folder", hint="Correct --image-root.")
        table_path = _table_in(path, kind) if is_folder else path
    except OSError as error:
        raise unreadable(path, error) from error
    if kind is Format.FOLDER or table_path is None:
        _refuse_mapping(mapping, "a folder of pictures has no columns")
        return FolderSource(path)

    table = Table(table_path)
    if kind is Format.SHOPEE or (kind is None and not mapping and is_shopee(table.header)):
        _refuse_mapping(mapping, 'the Shopee layout has fixed columns; use --format delimited with "--map"')
        if not is_shopee(table.header):
            raise NotACatalog(
                f"{table_path.name} is not in the Shopee layout; its columns: {', '.join(table.header)}",
                hint=f"It needs {', '.join(HEADER)}. Leave --format away to load it by its own columns.",
            )
        source = ShopeeSource(table, image_root=image_root.absolute() if image_root else None)
        if not source.image_root.is_dir():
            raise SourceUnreadable(
                f"the pictures of {table_path.name} are not at {source.image_root}",
                hint="Say where they are with --image-root.",
            )
        return source
    return DelimitedSource(table, mapping=mapping, image_root=image_root.absolute() if image_root else None)


def parse_format(name: str | None) -> Format | None:
    """Raises SettingsError for what is no format."""
    try:
        return Format(name) if name is not None else None
    except ValueError:
        raise SettingsError(f'--format: there is no "{name}"', hint=f"Formats: {', '.join(Format)}.") from None


def parse_mapping(assignments: Sequence[str]) -> dict[str, str]:
    """From `field=column`, as on the command line. Raises SettingsError."""
    mapping: dict[str, str] = {}
    for assignment in assignments:
        field, separator, column = assignment.partition("=")
        field = field.strip()
        if not separator or not field or not column.strip():
            raise SettingsError(f'--map "{assignment}" is not FIELD=COLUMN', hint='Like --map title="Item name".')
        if field in mapping:
            raise SettingsError(f"--map: {field} is given twice")
        mapping[field] = column.strip()
    return mapping


def _table_in(folder: Path, kind: Format | None) -> Path | None:
    """The one table of a folder; None for a folder without any, which is a folder of pictures."""
    if kind is Format.FOLDER:
        return None
    tables = sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in TABLES and entry.is_file())
    by_name = {table.name: table for table in tables}
    for name in FILES:
        if name in by_name and (folder / f"{by_name[name].stem}_images").is_dir():
            return by_name[name]
    if len(tables) == 1:
        return tables[0]
    if tables:
        raise NotACatalog(
            f"{folder} holds several tables: {', '.join(table.name for table in tables[:5])}",
            hint="Give the path of one of them, or --format folder to load the pictures.",
        )
    if kind is not None:
        raise NotACatalog(f"{folder} holds no table", hint="Give the path of the file.")
    return None


def _refuse_mapping(mapping: Mapping[str, str], why: str) -> None:
    if mapping:
        raise SettingsError(f"--map: {why}")
