"""What a load did, or a dry run would do."""

from dataclasses import dataclass, field
from pathlib import Path

from loader.errors import RowsRejected, SyncRefused
from loader.rows import Reject


@dataclass(frozen=True)
class Synced:
    """kept + marked + deleted + left = products of the catalog after its rows were loaded."""

    kept: int  # named by the file, in a rejected row too
    marked: int  # as out of stock
    deleted: int
    left: int  # not named either: out of stock before, or all of them where the sync was refused


@dataclass
class Summary:
    """read = rejected + inserted + updated + unchanged, also for a dry run, which writes none of them."""

    source: str
    path: Path
    catalog: str
    dry_run: bool = False
    read: int = 0
    rejected: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    pictures: int = 0  # added, replaced or removed
    missing_files: int = 0  # pictures of accepted rows that are not on this disk
    without_picture: int = 0
    dropped_hashes: int = 0
    rejects_file: Path | None = None  # where the rejected rows are listed
    first_reject: Reject | None = field(default=None, repr=False)
    synced: Synced | None = None
    refused: SyncRefused | None = None

    @property
    def accepted(self) -> int:
        return self.inserted + self.updated + self.unchanged

    def line(self) -> str:
        """All counts in one line."""
        counts = (
            f"{self.read:,} rows of {self.path} ({self.source}), catalog {self.catalog}: {self.inserted:,} new, "
            f"{self.updated:,} changed, {self.unchanged:,} unchanged, {self.rejected:,} rejected; "
            f"pictures changed: {self.pictures:,}"
        )
        if self.synced is None:
            return counts
        return (
            f"{counts}; sync: {self.synced.kept:,} kept, {self.synced.marked:,} marked out of stock, "
            f"{self.synced.deleted:,} deleted, {self.synced.left:,} left as they were"
        )

    def raise_if_incomplete(self) -> None:
        """Raises SyncRefused or RowsRejected, as a shell has to learn that not all was done."""
        if self.refused is not None:
            raise self.refused
        self.raise_if_rejected()

    def raise_if_rejected(self) -> None:
        """Raises RowsRejected, which is how a shell learns that not every row is in."""
        if self.first_reject is None:
            return
        line, reason = self.first_reject.line, self.first_reject.reason
        fate = "would be loaded" if self.dry_run else "loaded"
        raise RowsRejected(
            f"{self.rejected:,} of {self.read:,} rows rejected, listed in {self.rejects_file}; "
            f"the other {self.accepted:,} {fate}",
            hint=f"The first one: line {line}: {reason}. Correct them and load the file again.",
        )
