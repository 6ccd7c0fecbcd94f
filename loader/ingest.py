"""Catalog in, by chunks: read -> check -> stage and upsert.

A chunk is a transaction, a file is not. Encoders start on the first chunk while the rest is read, row locks are short,
and a load that is cut off keeps what it committed: run again, it finds those rows unchanged and goes on. Whatever makes
the whole file unusable is found before the first chunk.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from db import schema
from db.catalog.image_paths import ImageRoot
from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle import deferred_indexes
from db.roles import Role
from loader.duplicate_skus import FirstLines
from loader.errors import NothingToLoad, RejectsUnwritable, SourceDamaged, SourceUnreadable
from loader.product import Valid, to_product
from loader.rejects import RejectsFile
from loader.rows import RawRow, Reject
from loader.sources import Format, Source, open_source
from loader.store import Store
from loader.summary import Summary
from loader.sync import Sync, Syncing

CHUNK_ROWS = 5_000
CHUNK_CHARACTERS = 16 << 20
PROGRESS_ROWS = 500

WORTH_DEFERRING = 50_000  # rows; with fewer, building indexes after them saves less than it costs

Progress = Callable[[int, int | None], None]  # done, of how many (bytes or files) if that is known


def load_catalog(
    database: Database,
    path: Path,
    *,
    catalog: str = "main",
    kind: Format | None = None,
    mapping: Mapping[str, str] | None = None,
    image_root: Path | None = None,
    rejects: Path | None = None,
    dry_run: bool = False,
    limit: int | None = None,
    sync: Sync | None = None,
    on_progress: Progress = lambda done, total: None,
    on_index: deferred_indexes.Progress = lambda name, phase, share: None,
) -> Summary:
    """Load the catalog at `path`; see `ingest`. `mapping` is from fields to the headers of their columns."""
    source = open_source(path, kind=kind, mapping=mapping, image_root=image_root)
    return ingest(
        database,
        source,
        catalog=catalog,
        rejects=rejects,
        dry_run=dry_run,
        limit=limit,
        sync=sync,
        on_progress=on_progress,
        on_index=on_index,
    )


def ingest(
    database: Database,
    source: Source,
    *,
    catalog: str = "main",
    rejects: Path | None = None,
    dry_run: bool = False,
    limit: int | None = None,
    sync: Sync | None = None,
    on_progress: Progress = lambda done, total: None,
    on_index: deferred_indexes.Progress = lambda name, phase, share: None,
) -> Summary:
    """Make the catalog's products equal to the source's rows; without `sync`, others are left alone.

    Rejected rows are listed in `rejects` (default: `<source>.rejects.csv` in the working directory) and counted, not
    raised. A dry run does all of it and rolls back, so its counts are what a load would do. The first big load of an
    empty database leaves the indexes for keywords out and builds them at its end, as does any load that finds some left
    out by one that was killed. Raises LoaderError or DatabaseError; the chunks before it stay.
    """
    check_catalog(catalog)
    if sync and limit is not None:
        raise SettingsError("--sync needs the whole file, --limit reads a part of it", hint="Leave one of them away.")
    summary = Summary(source.name, source.path, catalog, dry_run)
    rejects = rejects or Path(f"{source.path.absolute().stem}.rejects.csv")
    if rejects.resolve() == source.path.resolve():
        raise RejectsUnwritable(f"{rejects} is the catalog itself", hint="Give another with --rejects.")
    with ExitStack() as stack:
        conn = stack.enter_context(database.connect(Role.APP))
        schema.check(conn)
        conn.rollback()
        rejected = stack.enter_context(RejectsFile(rejects))
        syncing = Syncing(conn, catalog, source.path, sync) if sync else None

        def reject(row: Reject) -> None:
            rejected.add(row)
            if syncing:
                syncing.reject(row)

        try:
            with (
                _keywords_indexed(database, dry_run, on_index),
                Store(database, catalog, source.image_root, dry_run, reject, summary) as store,
            ):
                for number, chunk in enumerate(_chunks(_checked(source, limit, reject, summary, on_progress))):
                    if number == 0 and not dry_run and _expected(source, len(chunk), limit) >= WORTH_DEFERRING:
                        deferred_indexes.defer_keywords(database)
                    store.add(chunk)
                    if syncing:
                        syncing.name(row.product.sku for row in chunk)
                store.finish()
            if syncing and summary.read:
                syncing.finish(summary)
        except (DatabaseError, SourceUnreadable, SourceDamaged) as error:
            if summary.accepted and not dry_run:
                stays = f"{summary.accepted:,} rows are in; the same command goes on from there."
                error.hint = f"{error.hint} {stays}" if error.hint else stays
            raise
        if summary.read == 0:
            raise NothingToLoad(f"{source.path} holds no rows", hint="Nothing was changed.")
    on_progress(source.done, source.size)
    summary.rejected, summary.first_reject = rejected.count, rejected.first
    summary.rejects_file = rejects if rejected.count else None
    return summary


def check_catalog(name: str) -> None:
    """Raises SettingsError for a name the database would refuse."""
    if re.fullmatch("[a-z0-9][a-z0-9_.-]{0,62}", name) is None:
        raise SettingsError(
            f'"{name}" is no name for a catalog', hint="Small letters, digits, and _ . - after the first; at most 63."
        )


def _expected(source: Source, read: int, limit: int | None) -> float:
    """Rows of the source, going by the first so many of them; 0 when it does not say how large it is."""
    expected = read * source.size / source.done if source.size and source.done else 0.0
    return expected if limit is None else min(expected, limit)


@contextmanager
def _keywords_indexed(database: Database, dry_run: bool, on_index: deferred_indexes.Progress) -> Iterator[None]:
    """At the end every keyword index is there, also when the source could not be read to its end."""
    try:
        yield
    except (SourceUnreadable, SourceDamaged):
        _build(database, dry_run, on_index)
        raise
    _build(database, dry_run, on_index)


def _build(database: Database, dry_run: bool, on_index: deferred_indexes.Progress) -> None:
    if not dry_run and deferred_indexes.may_build(database):
        deferred_indexes.build(database, deferred_indexes.KEYWORD_INDEXES, on_index)


def _checked(
    source: Source, limit: int | None, reject: Callable[[Reject], None], summary: Summary, on_progress: Progress
) -> Iterator[tuple[Valid, int]]:
    """The rows that can be stored, each with its size."""
    root = ImageRoot(source.image_root)
    with FirstLines() as lines:
        for row in islice(source.rows(), limit):
            summary.read += 1
            if summary.read % PROGRESS_ROWS == 1:
                on_progress(source.done, source.size)
            found = _check(row, root, lines)
            if isinstance(found, Reject):
                reject(found)
                continue
            assert isinstance(row, RawRow)
            summary.missing_files += found.missing_files
            summary.without_picture += not found.product.images
            summary.dropped_hashes += found.dropped_hash
            yield found, sum(map(len, row.fields.values())) + sum(len(str(value)) for value in row.attributes.values())


def _check(row: RawRow | Reject, root: ImageRoot, lines: FirstLines) -> Valid | Reject:
    if isinstance(row, Reject):
        return row
    found = to_product(row, root)
    if isinstance(found, Valid) and (first := lines.earlier(found.product.sku, found.line)):
        return Reject(found.line, found.product.sku, f"SKU {found.product.sku} is on line {first} already")
    return found


def _chunks(rows: Iterator[tuple[Valid, int]]) -> Iterator[list[Valid]]:
    chunk: list[Valid] = []
    characters = 0
    for row, size in rows:
        chunk.append(row)
        characters += size
        if len(chunk) == CHUNK_ROWS or characters > CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
