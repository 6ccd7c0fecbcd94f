"""Where rows come from. A new kind is one small file with a `Source`, and a line in `open_source`.

A source checks what concerns the whole (readable, the right format, the needed columns) when it is made, and raises a
LoaderError then; `rows()` streams, and turns whatever concerns one row into a `Reject`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from db.catalog.product import RawProduct
from db.errors import SettingsError
from loader.errors import NotACatalog, SourceUnreadable
from loader.rejects import Reject
from loader.sources.delimited import DelimitedSource
from loader.sources.folder import FolderSource
from loader.sources.jsonl import JsonLinesSource
from loader.sources.jsonld import JsonLdSource
from loader.sources.merchant import MerchantXmlSource
from loader.sources.parquet import ParquetSource
from loader.sources.reading.catalog_file import CatalogFile, unreadable
from loader.sources.reading.columns import check_fields
from loader.sources.reading.table import Table
from loader.sources.shopee import FILES, HEADER, ShopeeSource, is_shopee
from loader.sources.shopify import ShopifySource
from loader.sources.sniffing import Format, beginning, is_by_line, sniff

__all__ = ["CatalogSource", "Format", "open_source"]

TABLES = frozenset((".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"))  # what a folder may hold one of
FIXED = {  # formats whose fields stand where they stand
    Format.FOLDER: "a folder of pictures has no columns",
    Format.SHOPEE: 'the Shopee layout has fixed columns; use --format delimited with "--map"',
    Format.SHOPIFY: 'a Shopify export has fixed columns; use --format delimited with "--map"',
    Format.JSONLD: "schema.org's names are fixed",
}


class CatalogSource(Protocol):
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

    def rows(self) -> Iterator[RawProduct | Reject]:
        """Once. Memory stays bounded whatever the size. Raises SourceUnreadable when the disk fails."""


def open_source(
    path: Path,
    *,
    kind: Format | None = None,
    mapping: Mapping[str, str] | None = None,
    image_root: Path | None = None,
) -> CatalogSource:
    """The source at `path`, its format found by looking when none is given. Raises LoaderError or SettingsError."""
    mapping = mapping or {}
    check_fields(mapping)
    try:
        is_folder = path.is_dir()
        if image_root is not None and not image_root.is_dir():
            raise SourceUnreadable(f"the image root {image_root} is not a folder", hint="Correct --image-root.")
        file_path = _table_in(path, kind) if is_folder else path
    except OSError as error:
        raise unreadable(path, error) from error
    if kind is Format.FOLDER or file_path is None:
        _refuse_mapping(mapping, Format.FOLDER)
        return FolderSource(path)

    file = CatalogFile(file_path)
    found = kind or sniff(file)
    if kind is None and mapping and found in (Format.SHOPEE, Format.SHOPIFY):
        found = Format.DELIMITED
    _refuse_mapping(mapping, found)
    return _opened(file, found, mapping, image_root.absolute() if image_root else None)


def _opened(file: CatalogFile, kind: Format, mapping: Mapping[str, str], image_root: Path | None) -> CatalogSource:
    begins = beginning(file)[:1]
    if kind is Format.PARQUET:
        return ParquetSource(file, mapping=mapping, image_root=image_root)
    if kind is Format.JSONLD:
        return JsonLdSource(file, image_root=image_root, by_line=is_by_line(file))
    if kind is Format.MERCHANT and begins == b"<":
        return MerchantXmlSource(file, mapping=mapping, image_root=image_root)
    if kind is Format.JSONL or (kind is Format.MERCHANT and begins == b"{"):
        return JsonLinesSource(file, mapping=mapping, image_root=image_root, name=kind)
    if kind is Format.SHOPIFY:
        return ShopifySource(Table(file), image_root=image_root)
    if kind is Format.SHOPEE:
        return _shopee(Table(file), image_root)
    return DelimitedSource(Table(file), mapping=mapping, image_root=image_root, name=kind)


def _shopee(table: Table, image_root: Path | None) -> ShopeeSource:
    if not is_shopee(table.header):
        raise NotACatalog(
            f"{table.path.name} is not in the Shopee layout; its columns: {', '.join(table.header)}",
            hint=f"It needs {', '.join(HEADER)}. Leave --format away to load it by its own columns.",
        )
    source = ShopeeSource(table, image_root=image_root)
    if not source.image_root.is_dir():
        raise SourceUnreadable(
            f"the pictures of {table.path.name} are not at {source.image_root}",
            hint="Say where they are with --image-root.",
        )
    return source


def _table_in(folder: Path, kind: Format | None) -> Path | None:
    """The one table of a folder; None for a folder without any, which is a folder of pictures."""
    if kind is Format.FOLDER:
        return None
    tables = sorted(entry for entry in folder.iterdir() if _is_table(entry) and entry.is_file())
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


def _refuse_mapping(mapping: Mapping[str, str], kind: Format) -> None:
    if mapping and kind in FIXED:
        raise SettingsError(f"--map: {FIXED[kind]}")


def _is_table(path: Path) -> bool:
    return Path(path.name.lower().removesuffix(".gz")).suffix in TABLES
