"""What a source gives: rows in the vocabulary of product feeds, not yet checked, or what could not even be a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RawRow:
    """`fields` has text under the names of `db.catalog.product.COLUMNS`, and what is not a column in `attributes`."""

    line: int  # where the row begins; in a folder, which picture it is
    fields: Mapping[str, str]
    images: tuple[str, ...] = ()  # paths below the image root, or addresses; the first one is shown
    image_phash: str | None = None  # of the first picture, 16 hexadecimal digits
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is not loaded, and why."""

    line: int
    sku: str  # "" where the row could not be read that far
    reason: str
