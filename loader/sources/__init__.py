"""Opens a catalog file or folder as a source of rows. CONTRIBUTING.md describes how to add a format."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from db.errors import SettingsError
from loader.errors import NotACatalog, SourceUnreadable
from loader.formats import Format
from loader.sources.changed_values import ChangedValues, ValueChanges
from loader.sources.decided_values import DecidedValues
from loader.sources.folder import FolderSource
from loader.sources.inherited_values import InheritedValues
from loader.sources.private_columns import WithoutPrivateColumns
from loader.sources.reading.catalog_file import CatalogFile, check_encoding, unreadable
from loader.sources.reading.columns import FieldColumns, check_fields
from loader.sources.reading.file_head import FileHead
from loader.sources.registry import FILE_FORMATS, TABLE_SUFFIXES, CatalogSource, recognise
from loader.sources.shopee import FILES

NO_CHANGES = ValueChanges()

__all__ = ["CatalogSource", "Format", "open_source"]


def open_source(
    path: Path,
    *,
    kind: Format | None = None,
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    image_root: Path | None = None,
    kept: Collection[str] = (),
    ignored: Collection[str] = (),
    encoding: str | None = None,
    changes: ValueChanges = NO_CHANGES,
) -> CatalogSource:
    """Returns the source at `path`. If `kind` is None, recognises the format. Raises LoaderError or SettingsError.

    `mapping` has the column of each field, or a list of columns, best first. The source drops private attributes that
    are not in `kept`, and all attributes in `ignored`. `encoding` is the encoding of the text. If it is None, the text
    is UTF-8 or UTF-16.
    """
    columns = {field: [names] if isinstance(names, str) else names for field, names in (mapping or {}).items()}
    check_fields(columns)
    if encoding:
        check_encoding(encoding)
    try:
        is_folder = path.is_dir()
        if image_root is not None and not image_root.is_dir():
            raise SourceUnreadable(f"the image root {image_root} is not a folder", hint="Correct --image-root.")
        file_path = _table_in(path, kind) if is_folder else path
    except OSError as error:
        raise unreadable(path, error) from error
    if kind is Format.FOLDER or file_path is None:
        if columns:
            raise SettingsError("--map: a folder of images has no columns")
        return FolderSource(path)
    root = image_root.absolute() if image_root else None
    changes = replace(changes, from_root=root is not None and not changes.base_url)

    def opened() -> CatalogSource:
        source = _open_file(CatalogFile(file_path, encoding), kind, columns, root)
        return ChangedValues(source, changes) if changes else source

    completed = DecidedValues(lambda: InheritedValues(opened))
    return WithoutPrivateColumns(completed, kept=kept, ignored=ignored)


def _open_file(file: CatalogFile, kind: Format | None, mapping: FieldColumns, image_root: Path | None) -> CatalogSource:
    head = FileHead(file)
    name = kind or recognise(head)
    if kind is None and mapping and head.header and FILE_FORMATS[name].fixed_columns:
        name = Format.DELIMITED  # a mapping cannot change fixed columns, so the table is read as plain delimited text
    file_format = FILE_FORMATS[name]
    if not file_format.fixed_columns:
        return file_format.source(file, image_root=image_root, mapping=mapping)
    if mapping:
        raise SettingsError(f"--map: {file_format.fixed_columns}")
    return file_format.source(file, image_root=image_root)


def _table_in(folder: Path, kind: Format | None) -> Path | None:
    """Returns the table to load from a folder, or None if the images of the folder are to be loaded instead."""
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
            hint="Give the path of one of them, or --format folder to load the images.",
        )
    if kind is not None:
        raise NotACatalog(f"{folder} holds no table", hint="Give the path of the file.")
    return None


def _is_table(path: Path) -> bool:
    return Path(path.name.lower().removesuffix(".gz")).suffix in TABLE_SUFFIXES
