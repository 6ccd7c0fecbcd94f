"""Chunks of checked rows into the database, several side by side: each is staged, upserted and committed on a
connection of its own, or rolled back, for a dry run. Meanwhile the next ones are read and checked.

PostgreSQL spends three times as long on a row as reading and checking it takes, and a connection uses one core.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from db.catalog.store import UpsertCounts, staging, upsert
from db.engine import Database
from db.errors import DatabaseError, StatementRefused
from db.roles import Role
from loader.product import Valid
from loader.rows import Reject
from loader.summary import Summary

CONNECTIONS = 2
WAITING = 1  # chunks that are ready before a connection is
ROW_AT_FAULT = ("22", "23", "54")  # SQLSTATE classes: data, constraint, program limit
MAY_PASS = ("40001", "40P01")  # serialization failure, deadlock
ATTEMPTS = 5


@dataclass
class Stored:
    """What became of a chunk."""

    counts: list[UpsertCounts] = field(default_factory=list)
    refused: list[tuple[Valid, str]] = field(default_factory=list)  # by the database, although we took them


class Store:
    """Enter it, `add` chunks, and `finish`: then all are in. An error of one ends the load, when those under way are
    in. The summary is brought up to date as chunks get in. No SKU may be in two of them.
    """

    def __init__(
        self,
        database: Database,
        catalog: str,
        image_root: Path,
        dry_run: bool,
        reject: Callable[[Reject], None],
        summary: Summary,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._image_root = image_root
        self._dry_run = dry_run
        self._reject = reject
        self._summary = summary
        self._connections = ExitStack()
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="store")
        self._under_way: deque[Future[Stored]] = deque()

    def __enter__(self) -> "Store":
        return self

    def add(self, chunk: list[Valid]) -> None:
        """Returns when another one may be prepared."""
        self._under_way.append(self._threads.submit(self._store, chunk))
        while len(self._under_way) > CONNECTIONS + WAITING:
            self._settle(self._under_way.popleft())

    def finish(self) -> None:
        """Wait until all that was added is in."""
        while self._under_way:
            self._settle(self._under_way.popleft())

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:
                for future in self._under_way:
                    future.cancel()
                for future in self._under_way:
                    if not future.cancelled() and future.exception() is None:
                        self._settle(future)  # it counts as loaded, whatever became of the others
        finally:
            self._threads.shutdown()
            self._connections.close()

    def _settle(self, future: Future[Stored]) -> None:
        stored, summary = future.result(), self._summary
        for counts in stored.counts:
            summary.inserted += counts.inserted
            summary.updated += counts.updated
            summary.unchanged += counts.unchanged
            summary.pictures += counts.pictures
        for row, why in stored.refused:
            self._reject(Reject(row.line, row.product.sku, f"the database refuses it: {why}"))
            summary.missing_files -= row.missing_files
            summary.without_picture -= not row.product.images
            summary.dropped_hashes -= row.dropped_hash

    def _store(self, chunk: list[Valid]) -> Stored:
        """In SKU order, so that two loads that lock the same rows wait for each other instead of deadlocking."""
        if not hasattr(self._own, "connection"):
            self._own.connection = self._connections.enter_context(self._database.connect(Role.APP))
        stored = Stored()
        self._add(self._own.connection, sorted(chunk, key=lambda row: row.product.sku), stored)
        return stored

    def _add(self, conn: Connection, chunk: list[Valid], stored: Stored) -> None:
        """A row the database refuses although we took it is found by halving, and costs only itself."""
        try:
            stored.counts.append(self._upsert_patiently(conn, chunk))
        except StatementRefused as error:
            if (error.sqlstate or "")[:2] not in ROW_AT_FAULT:
                raise
            if len(chunk) == 1:
                stored.refused.append((chunk[0], error.message))
                return
            half = len(chunk) // 2
            self._add(conn, chunk[:half], stored)
            self._add(conn, chunk[half:], stored)

    def _upsert_patiently(self, conn: Connection, chunk: list[Valid]) -> UpsertCounts:
        for attempt in range(1, ATTEMPTS):
            try:
                return self._upsert(conn, chunk)
            except DatabaseError as error:
                if error.sqlstate not in MAY_PASS:
                    raise
                time.sleep(0.1 * attempt)
        return self._upsert(conn, chunk)

    def _upsert(self, conn: Connection, chunk: list[Valid]) -> UpsertCounts:
        with conn.begin() as transaction:
            with staging(conn) as stage:
                for row in chunk:
                    stage(row.product)
            counts = upsert(conn, catalog=self._catalog, image_root=self._image_root)
            if self._dry_run:
                transaction.rollback()
        return counts
