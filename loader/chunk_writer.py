"""Writes several chunks of validated rows to the database at the same time.

Each of CONNECTIONS threads stages, upserts and commits a chunk on its own connection; a dry run rolls the chunk back.
Meanwhile the loader reads and validates the next chunks. PostgreSQL needs three times as long to write a row as the
loader needs to read and validate the row. A connection uses only one core, so several connections load faster.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Connection

from db.catalog.bisection import write_each
from db.catalog.product import ValidatedProduct
from db.catalog.store import UpsertCounts, staging, upsert
from db.engine import Database
from db.errors import StatementRefused
from db.roles import Role
from loader.rejects import Reject
from loader.summary import LoadSummary
from loader.transient import with_retry

CONNECTIONS = 2  # number of chunks that are written at the same time
WAITING = 1  # after `add` has returned, at most this many chunks wait for a connection

ChunkResult = list[tuple[Sequence[ValidatedProduct], UpsertCounts | StatementRefused]]


class ChunkWriter:
    """A context manager. Call `add` for each chunk, and then `finish`. No SKU may be in two chunks.

    After an error, the chunks that wait for a connection are dropped, and the chunks that are being written are
    completed. The summary counts every chunk that was written completely.
    """

    def __init__(
        self,
        database: Database,
        image_root: Path,
        catalog: str,
        dry_run: bool,
        reject: Callable[[Reject], None],
        summary: LoadSummary,
        *,
        keeps_roots: bool = False,
    ) -> None:
        self._keeps_roots = keeps_roots
        self._database = database
        self._image_root = image_root
        self._catalog = catalog
        self._dry_run = dry_run
        self._reject = reject
        self._summary = summary
        self._connections = ExitStack()
        self._thread_local = threading.local()
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="chunk-writer")
        self._pending: deque[Future[ChunkResult]] = deque()

    def __enter__(self) -> "ChunkWriter":
        return self

    def add(self, chunk: list[ValidatedProduct]) -> None:
        """Queue a chunk. Then wait for the oldest chunks, in order, until at most CONNECTIONS + WAITING chunks are
        not in the summary yet."""
        self._pending.append(self._threads.submit(self._write_chunk, chunk))
        self._wait(CONNECTIONS + WAITING)

    def finish(self) -> None:
        """Wait until all chunks are written and counted."""
        self._wait(0)

    def _wait(self, pending: int) -> None:
        """Wait for the oldest chunks, in order, until at most `pending` chunks are not counted yet. A chunk is removed
        from the queue only after its result is known, so that __exit__ counts the chunk if the wait is interrupted."""
        while len(self._pending) > pending:
            result = self._pending[0].result()
            self._pending.popleft()
            self._count(result)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:
                for future in self._pending:
                    future.cancel()
                for future in self._pending:
                    if not future.cancelled() and future.exception() is None:
                        self._count(future.result())  # this chunk was written, although the load failed
        finally:
            self._threads.shutdown()
            self._connections.close()

    def _count(self, result: ChunkResult) -> None:
        for rows, counts in result:
            if isinstance(counts, StatementRefused):
                [row] = rows
                self._reject(Reject(row.line, row.product.sku, f"the database refuses the row: {counts.message}"))
                self._summary.count(row, times=-1)
            else:
                self._summary.add(counts)

    def _write_chunk(self, chunk: list[ValidatedProduct]) -> ChunkResult:
        """Write the rows of a chunk in SKU order, in which the staging table's index is built fastest."""
        if not hasattr(self._thread_local, "connection"):
            self._thread_local.connection = self._connections.enter_context(self._database.connect(Role.APP))
        return list(write_each(self._upsert_with_retry, sorted(chunk, key=lambda row: row.product.sku)))

    def _upsert_with_retry(self, rows: Sequence[ValidatedProduct]) -> UpsertCounts:
        return with_retry(lambda: self._upsert(self._thread_local.connection, rows))

    def _upsert(self, conn: Connection, rows: Sequence[ValidatedProduct]) -> UpsertCounts:
        with conn.begin() as transaction:
            with staging(conn, keeps_roots=self._keeps_roots) as stage:
                for row in rows:
                    stage(row.product)
            counts = upsert(conn, catalog=self._catalog, image_root=self._image_root)
            if self._dry_run:
                transaction.rollback()
        return counts
