"""Records the actions of shoppers that a shop reports, as rows of shop.event."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    kind: str  # search, view, click, wishlist, add_to_cart, purchase
    visitor: str | None = None
    catalog: str = "main"
    query: str | None = None
    results: int | None = None
    sku: str | None = None
    rank: int | None = None
    search_id: str | None = None
    occurred_at: datetime | None = None
    value: Decimal | None = None
    currency: str | None = None
    quantity: int | None = None
    position: int | None = None
    session: str | None = None


_COLUMNS = [field.name for field in fields(Event)]
_RECORD = text(
    f"insert into shop.event ({', '.join(_COLUMNS)}) values ({', '.join(f':{column}' for column in _COLUMNS)})"
)


def record(conn: Connection, events: Sequence[Event]) -> None:
    conn.execute(_RECORD, [asdict(event) for event in events])
