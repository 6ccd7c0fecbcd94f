"""Counts the rows and products of a load or of a dry run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from db.catalog.product import COLUMNS, OFFER_COLUMNS, ValidatedProduct
from db.catalog.store import UpsertCounts
from loader.errors import RowsRejected, SyncRefused
from loader.rejects import Reject


@dataclass(frozen=True)
class SyncCounts:
    """The counts of a sync. After the rows are loaded and before the sync, the catalog has kept + marked + deleted +
    left products."""

    kept: int  # products that the file names, even if only in a rejected row
    marked: int  # products marked as out of stock
    deleted: int
    left: int  # missing products that the sync did not change: out of stock already, or sync refused


MAX_ATTRIBUTES = 10_000  # when this many names of attributes are remembered, no further names are added


@dataclass
class Warnings:
    """Counts the faulty values of one field that accepted rows had. These values were dropped or replaced."""

    line: int  # the line of the first row with such a value
    reason: str  # the fault of the first such value
    count: int = 0


@dataclass
class LoadSummary:
    """The counts of a load, where read = rejected + inserted + updated + unchanged. A dry run has the same counts.

    A load that ended early has also read rows that it neither rejected nor stored.
    """

    source: str
    path: str  # the path or address of the source
    catalog: str
    dry_run: bool = False
    read: int = 0
    rejected: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    images: int = 0  # images added, replaced or removed
    missing_files: int = 0  # images of accepted rows whose files are not on this disk
    without_image: int = 0
    without_price: int = 0
    dropped_hashes: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)  # column -> field
    # Fields that are empty in every product. A field of OFFER_COLUMNS is listed only if the file has a column for it.
    empty_fields: set[str] = field(default_factory=lambda: set(COLUMNS).difference(OFFER_COLUMNS))
    attributes: set[str] = field(default_factory=set)  # the names of the attributes, see MAX_ATTRIBUTES
    private: dict[str, int] = field(default_factory=dict)  # private attribute -> how often it was dropped
    warnings: dict[str, Warnings] = field(default_factory=dict)  # field -> its warnings
    rejects_file: Path | None = None  # the file that lists the rejected rows
    first_reject: Reject | None = field(default=None, repr=False)
    synced: SyncCounts | None = None
    ended_early: bool = False  # whether the load ended with an error or was interrupted
    refused: SyncRefused | None = None  # the reason why the sync was refused; None if it was not refused

    def count(self, row: ValidatedProduct, times: int = 1) -> None:
        """Count what an accepted row lacks, such as a price, and what was dropped from it. If the database refuses the
        row later, call this with `times=-1` to subtract these counts again."""
        self.missing_files += times * row.missing_files
        self.without_image += times * (not row.product.images)
        self.without_price += times * (row.product.price is None)
        self.dropped_hashes += times * row.dropped_hash
        product = row.product
        if found := [name for name in self.empty_fields if getattr(product, name) is not None]:
            self.empty_fields.difference_update(found)
        if len(self.attributes) < MAX_ATTRIBUTES:
            self.attributes.update(product.attributes)
        for name, reason in row.warnings:
            if name not in self.warnings:
                self.warnings[name] = Warnings(row.line, reason)
            self.warnings[name].count += times

    def add(self, counts: UpsertCounts) -> None:
        self.inserted += counts.inserted
        self.updated += counts.updated
        self.unchanged += counts.unchanged
        self.images += counts.images

    @property
    def accepted(self) -> int:
        return self.inserted + self.updated + self.unchanged

    def line(self) -> str:
        """Returns the counts of rows, images and the sync in one line."""
        counts = (
            f"{self.read:,} rows of {self.path} ({self.source}), catalog {self.catalog}: {self.inserted:,} new, "
            f"{self.updated:,} changed, {self.unchanged:,} unchanged, {self.rejected:,} rejected; "
            f"images changed: {self.images:,}"
        )
        if self.ended_early:
            counts += f"; ended early: {self.read - self.accepted - self.rejected:,} rows were read but not stored"
        if self.synced is None:
            return counts
        return (
            f"{counts}; sync: {self.synced.kept:,} kept, {self.synced.marked:,} marked out of stock, "
            f"{self.synced.deleted:,} deleted, {self.synced.left:,} left as they were"
        )

    def raise_if_incomplete(self) -> None:
        """Raises SyncRefused or RowsRejected, so that the exit code shows that the load is incomplete."""
        if self.refused is not None:
            raise self.refused
        self.raise_if_rejected()

    def raise_if_rejected(self) -> None:
        """Raises RowsRejected, so that the exit code shows that not every row was loaded."""
        if self.first_reject is None:
            return
        line, reason = self.first_reject.line, self.first_reject.reason
        fate = "would be loaded" if self.dry_run else "loaded"
        raise RowsRejected(
            f"{self.rejected:,} of {self.read:,} rows rejected, listed in {self.rejects_file}; "
            f"the other {self.accepted:,} {fate}",
            hint=f"The first rejected row: line {line}: {reason}. Correct the rows and load the file again.",
        )
