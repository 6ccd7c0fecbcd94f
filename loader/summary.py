"""What a load did, or a dry run would do."""

from dataclasses import dataclass, field
from pathlib import Path

from loader.errors import RowsRejected
from loader.rows import Reject


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

    @property
    def accepted(self) -> int:
        return self.inserted + self.updated + self.unchanged

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
