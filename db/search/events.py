"""Records the actions of shoppers that a shop reports, as rows of shop.event."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, text

_RECORD = text(
    "insert into shop.event (kind, visitor, catalog, query, results, sku, rank) "
    "values (:kind, :visitor, :catalog, :query, :results, :sku, :rank)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    kind: str  # search, click, add_to_cart, purchase
    visitor: str | None = None
    catalog: str = "main"
    query: str | None = None
    results: int | None = None
    sku: str | None = None
    rank: int | None = None


def record(conn: Connection, events: Sequence[Event]) -> None:
    conn.execute(_RECORD, [asdict(event) for event in events])
