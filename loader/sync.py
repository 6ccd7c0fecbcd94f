"""Implements `--sync`, which finds the products that the file lacks, and marks them as out of stock or deletes them.

The sync runs after the loaded rows are committed, and only if the whole file was read and every row has a valid SKU.
Otherwise the sync could delete a product whose row is in the file but cannot be read. The products are changed in short
transactions. If a sync is interrupted, the next sync changes the remaining products.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from db.catalog import sync
from db.catalog.validation import MAX_LENGTHS
from db.errors import SettingsError
from loader.errors import SyncRefused
from loader.rejects import Reject
from loader.summary import LoadSummary, SyncCounts
from loader.transient import with_retry

BATCH_ROWS = 5_000  # a transaction changes at most this many products
_SKU = re.compile("[^\x00-\x1f\x7f\ud800-\udfff]+")


@dataclass(frozen=True)
class MissingLimit:
    """The largest number of products that one sync may change. `share` is a share of the products before the load."""

    share: float | None = None
    number: int | None = None

    @classmethod
    def parse(cls, written: str) -> "MissingLimit":
        """Parses "20%" or "500". Raises SettingsError for other texts."""
        if match := re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)\s*%", written.strip()):
            share = float(match[1]) / 100
            if share <= 1:
                return cls(share=share)
        elif re.fullmatch(r"\d{1,12}", written.strip()):
            return cls(number=int(written))
        raise SettingsError(
            f'--max-missing: "{written}" is neither a share nor a number', hint="For example: 20% or 500."
        )

    def allows(self, vanishing: int, there: int) -> bool:
        return vanishing <= (self.number if self.number is not None else (self.share or 0) * there)

    def __str__(self) -> str:
        return f"{self.number:,}" if self.number is not None else f"{100 * (self.share or 0):g}%"


@dataclass(frozen=True)
class SyncOptions:
    delete: bool = False
    limit: MissingLimit = MissingLimit(share=0.2)


class SyncRun:
    """The sync of one load. Call `name` or `reject` for every row, and then `finish`."""

    def __init__(self, conn: Connection, catalog: str, path: Path, options: SyncOptions) -> None:
        self._conn = conn
        self._catalog = catalog
        self._path = path
        self._state_before = file_state(path)
        self._options = options
        self._rejected: list[str] = []
        self._nameless = 0
        with conn.begin():
            sync.begin(conn)

    def name(self, skus: Iterable[str]) -> None:
        """Record that the file names these SKUs and the SKUs of the rows rejected so far."""
        with self._conn.begin():
            sync.name(self._conn, [*skus, *self._rejected], self._catalog)
        self._rejected.clear()

    def reject(self, reject: Reject) -> None:
        """Keep the product of a rejected row unchanged. A row without a valid SKU makes `finish` refuse the sync."""
        sku = reject.sku.strip()
        if len(sku) <= MAX_LENGTHS["sku"] and _SKU.fullmatch(sku):
            self._rejected.append(sku)
            if len(self._rejected) == BATCH_ROWS:  # so that memory stays bounded if all rows of a file are rejected
                self.name(())
        else:
            self._nameless += 1

    def finish(self, summary: LoadSummary) -> None:
        """Change the missing products, or set `summary.refused`. A dry run only counts them."""
        self.name(())
        with self._conn.begin():
            missing = sync.find_missing(self._conn, self._catalog, delete=self._options.delete)
        inserted = 0 if summary.dry_run else summary.inserted
        # The number of products before this load. A sync that marks products does not count a missing product that was
        # already out of stock.
        there = missing.to_change + max(0, missing.named - inserted)
        summary.refused = self._refusal(missing.to_change, there)
        changed = 0
        if summary.refused is None:
            changed = missing.to_change if summary.dry_run else self._change(missing.to_change)
        summary.synced = SyncCounts(
            kept=missing.named,
            marked=0 if self._options.delete else changed,
            deleted=changed if self._options.delete else 0,
            left=missing.products - missing.named - changed,
        )

    def _change(self, count: int) -> int:
        changed = 0
        for after in range(0, count, BATCH_ROWS):
            changed += with_retry(partial(self._change_batch, after))
        return changed

    def _change_batch(self, after: int) -> int:
        with self._conn.begin():
            return sync.change(self._conn, after, BATCH_ROWS, delete=self._options.delete)

    def _refusal(self, vanishing: int, there: int) -> SyncRefused | None:
        name, what = self._path.name, "deleted" if self._options.delete else "marked as out of stock"
        if file_state(self._path) != self._state_before:
            return SyncRefused(
                f"--sync: {name} was changed while it was read; nothing was {what}", hint="Load the file again."
            )
        if self._nameless:
            return SyncRefused(
                f"--sync: rows of {name} without a valid SKU: {self._nameless:,}; nothing was {what}",
                hint="Correct these rows and load the file again. The rejects file lists them.",
            )
        if not self._options.limit.allows(vanishing, there):
            return SyncRefused(
                f"--sync: {name} does not name {vanishing:,} of {there:,} products of catalog {self._catalog}, more "
                f"than --max-missing {self._options.limit} allows; nothing was {what}",
                hint=f"Is the file complete? To change all these products: --max-missing {vanishing}",
            )
        return None


def file_state(path: Path) -> tuple[int, int, int] | None:
    """Returns a value that changes when the file is written or replaced. Returns a constant for a folder, and None for
    a path that cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (0, 0, 0) if path.is_dir() else (status.st_ino, status.st_size, status.st_mtime_ns)
