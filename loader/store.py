"""One chunk of checked rows into the database: staged, upserted, committed; or rolled back, for a dry run."""

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from db.catalog import UpsertCounts, staging, upsert
from db.errors import DatabaseError, StatementRefused
from loader.product import Valid
from loader.rows import Reject
from loader.summary import Summary

ROW_AT_FAULT = ("22", "23", "54")  # SQLSTATE classes: data, constraint, program limit
MAY_PASS = ("40001", "40P01")  # serialization failure, deadlock
ATTEMPTS = 5


class Store:
    def __init__(
        self, conn: Connection, catalog: str, image_root: Path, dry_run: bool, reject: Callable[[Reject], None]
    ) -> None:
        self._conn = conn
        self._catalog = catalog
        self._image_root = image_root
        self._dry_run = dry_run
        self._reject = reject

    def add(self, chunk: list[Valid], summary: Summary) -> None:
        # In SKU order, so that two loads that lock the same rows wait for each other instead of deadlocking.
        self._add(sorted(chunk, key=lambda row: row.product.sku), summary)

    def _add(self, chunk: list[Valid], summary: Summary) -> None:
        """A row the database refuses although we took it is found by halving, and costs only itself."""
        try:
            counts = self._upsert_patiently(chunk)
        except StatementRefused as error:
            if (error.sqlstate or "")[:2] not in ROW_AT_FAULT:
                raise
            if len(chunk) == 1:
                row = chunk[0]
                self._reject(Reject(row.line, row.product.sku, f"the database refuses it: {error.message}"))
                summary.missing_files -= row.missing_files
                summary.without_picture -= not row.product.images
                summary.dropped_hashes -= row.dropped_hash
                return
            half = len(chunk) // 2
            self._add(chunk[:half], summary)
            self._add(chunk[half:], summary)
            return
        summary.inserted += counts.inserted
        summary.updated += counts.updated
        summary.unchanged += counts.unchanged
        summary.pictures += counts.pictures

    def _upsert_patiently(self, chunk: list[Valid]) -> UpsertCounts:
        for attempt in range(1, ATTEMPTS):
            try:
                return self._upsert(chunk)
            except DatabaseError as error:
                if error.sqlstate not in MAY_PASS:
                    raise
                time.sleep(0.1 * attempt)
        return self._upsert(chunk)

    def _upsert(self, chunk: list[Valid]) -> UpsertCounts:
        with self._conn.begin() as transaction:
            with staging(self._conn) as stage:
                for row in chunk:
                    stage(row.product)
            counts = upsert(self._conn, catalog=self._catalog, image_root=self._image_root)
            if self._dry_run:
                transaction.rollback()
        return counts
