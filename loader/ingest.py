"""Loads a catalog into the database in chunks: read and validate (chunks.py), then stage and upsert (chunk_writer.py).

Each chunk is a transaction of its own. So encoders start on the first chunk while later chunks are read, row locks are
held only briefly, and an interrupted load keeps the chunks that it committed. The next load of the file counts the rows
of these chunks as unchanged and loads the other rows. A fault that makes the whole file unusable is found before the
first chunk is written.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db import schema
from db.catalog.product import OFFER_COLUMNS
from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle import deferred_indexes
from db.pooler import refuse_transaction_pooler
from db.roles import Role
from loader.chunk_writer import ChunkWriter
from loader.chunks import Progress, validated_chunks
from loader.errors import NothingToLoad, RejectsUnwritable, SourceDamaged, SourceUnreadable
from loader.rejects import Reject, RejectsFile
from loader.sources import CatalogSource, Format
from loader.sources.private_columns import WithoutPrivateColumns
from loader.summary import LoadSummary
from loader.sync import SyncOptions, SyncRun

# The indexes of shop.product are deferred only if a load seems to have at least this many rows. For fewer rows,
# building the indexes takes longer than updating them.
WORTH_DEFERRING = 50_000


@dataclass(frozen=True)
class LoadOptions:
    catalog: str = "main"
    rejects: Path | None = None  # default: `<source>.rejects.csv` in the working directory
    dry_run: bool = False
    limit: int | None = None  # at most this many rows are read; None means all rows
    sync: SyncOptions | None = None
    shown_as: str | None = None  # the name of the source in messages; None means its path
    strict: bool = False  # reject a row with a faulty value; otherwise, only drop the value, with a warning
    keeps_roots: bool = False  # a stored image path keeps its folder if the new image root does not have the image


def ingest(
    database: Database,
    source: CatalogSource,
    options: LoadOptions = LoadOptions(),
    *,
    on_progress: Progress = lambda done, total: None,
    on_index: deferred_indexes.Progress = lambda name, phase, share: None,
    on_failure: Callable[[LoadSummary], None] = lambda summary: None,
) -> LoadSummary:
    """Insert or update the product of each row of the source. Other products stay unchanged, except with `sync`.

    Rejected rows are counted and listed in a file; they raise no error. A dry run writes every row and rolls the write
    back, so its counts equal the counts of a load. A load of many rows into a database without products drops indexes
    of shop.product and builds them again at the end, if the login has the rights of the owner. If that load is killed,
    the next load builds the indexes. Raises LoaderError, DatabaseError or SettingsError; the chunks that were committed
    before the error stay in the database. If the load ends with an error or is interrupted after it has read a row,
    `on_failure` gets the counts up to that point.
    """
    rejects_path = _checked_rejects_path(source, options)
    summary = LoadSummary(source.name, options.shown_as or str(source.path), options.catalog, options.dry_run)
    summary.empty_fields.update(set(OFFER_COLUMNS).intersection(source.columns.values()))
    refuse_transaction_pooler(database, Role.APP, "a load")
    with database.connect(Role.APP) as conn:
        schema.check(conn)
        conn.rollback()
        with RejectsFile(rejects_path) as rejects:
            sync = SyncRun(conn, options.catalog, source.path, options.sync) if options.sync else None

            def reject(row: Reject) -> None:
                rejects.add(row)
                if sync:
                    sync.reject(row)

            try:
                with _hint_at_committed_rows(summary):
                    with _product_indexes_at_end(database, options.dry_run, on_index):
                        _load_rows(database, source, options, summary, reject, sync, on_progress)
                    if sync and summary.read:
                        sync.finish(summary)
                if summary.read == 0:
                    raise NothingToLoad(f"{summary.path} holds no rows", hint="Nothing was changed.")
            except BaseException:
                if summary.read:
                    summary.ended_early = True
                    _complete(summary, source, rejects)
                    on_failure(summary)
                raise
    on_progress(source.done, source.size)
    _complete(summary, source, rejects)
    summary.rejects_file = rejects_path if rejects.count else None
    return summary


def _complete(summary: LoadSummary, source: CatalogSource, rejects: RejectsFile) -> None:
    """Complete `summary` at the end of a load: the columns of the source, private attributes and rejected rows."""
    summary.columns = source.columns
    if isinstance(source, WithoutPrivateColumns):
        summary.private = dict(source.dropped)
    summary.rejected, summary.first_reject = rejects.count, rejects.first


def check_catalog(name: str) -> None:
    """Raises SettingsError for a name that the database would refuse."""
    if re.fullmatch("[a-z0-9][a-z0-9_.-]{0,62}", name) is None:
        raise SettingsError(
            f'"{name}" cannot be the name of a catalog',
            hint='Use at most 63 characters: lower-case letters, digits, "_", "." and "-". '
            "Begin with a letter or a digit.",
        )


def _checked_rejects_path(source: CatalogSource, options: LoadOptions) -> Path:
    check_catalog(options.catalog)
    if options.sync and options.limit is not None:
        raise SettingsError("--sync needs the whole file, but --limit reads only a part", hint="Omit one of them.")
    path = options.rejects or Path(f"{source.path.absolute().stem}.rejects.csv")
    if path.resolve() == source.path.resolve():
        raise RejectsUnwritable(f"{path} is the catalog itself", hint="Name another file with --rejects.")
    return path


def _load_rows(
    database: Database,
    source: CatalogSource,
    options: LoadOptions,
    summary: LoadSummary,
    reject: Callable[[Reject], None],
    sync: SyncRun | None,
    on_progress: Progress,
) -> None:
    chunks = validated_chunks(
        source,
        limit=options.limit,
        strict=options.strict or source.name == Format.FOLDER,  # without its image, a folder's product has no content
        reject=reject,
        summary=summary,
        on_progress=on_progress,
    )
    root = source.image_root
    with ChunkWriter(
        database, root, options.catalog, options.dry_run, reject, summary, keeps_roots=options.keeps_roots
    ) as writer:
        try:
            for number, chunk in enumerate(chunks):
                rows = len(chunk)
                if number == 0 and not options.dry_run and _expected_rows(source, options, rows) >= WORTH_DEFERRING:
                    deferred_indexes.defer_product_indexes(database)
                writer.add(chunk)
                if sync:
                    sync.name(row.product.sku for row in chunk)
        except (SourceDamaged, SourceUnreadable):
            writer.finish()  # the rows before the damaged place are loaded
            raise
        writer.finish()


def _expected_rows(source: CatalogSource, options: LoadOptions, read: int) -> float:
    """Estimates how many rows the load will read, from the number of valid rows `read` so far. Returns 0 if the source
    knows neither its size nor how much of it was read."""
    expected = read * source.size / source.done if source.size and source.done else 0.0
    return expected if options.limit is None else min(expected, options.limit)


@contextmanager
def _hint_at_committed_rows(summary: LoadSummary) -> Iterator[None]:
    try:
        yield
    except (DatabaseError, SourceUnreadable, SourceDamaged) as error:
        if summary.accepted and not summary.dry_run:
            committed = f"{summary.accepted:,} rows are loaded; run the same command again to load the others."
            error.hint = f"{error.hint} {committed}" if error.hint else committed
        raise


@contextmanager
def _product_indexes_at_end(database: Database, dry_run: bool, on_index: deferred_indexes.Progress) -> Iterator[None]:
    """When the `with` block ends, build the missing indexes of shop.product and add the missing foreign keys. Do so
    even if the source could not be read to its end, but not after any other error."""
    try:
        yield
    except (SourceUnreadable, SourceDamaged):
        _build_product_indexes(database, dry_run, on_index)
        raise
    _build_product_indexes(database, dry_run, on_index)


def _build_product_indexes(database: Database, dry_run: bool, on_index: deferred_indexes.Progress) -> None:
    if not dry_run and deferred_indexes.may_build(database):
        names = (*deferred_indexes.PRODUCT_INDEXES, *deferred_indexes.PRODUCT_KEYS)
        deferred_indexes.build(database, names, on_index)
