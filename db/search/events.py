"""Records the actions of shoppers as rows of shop.event, and reads the salt with which a day's visitors are hashed."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
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


@dataclass(frozen=True, slots=True)
class DailySalt:
    """The salt of a day of UTC. `ends` is the end of the day on this process's monotonic clock."""

    day: date
    salt: bytes
    ends: float


_SALT = text("select today, random, seconds from shop_private.salt_of_day()")
_COLUMNS = [field.name for field in fields(Event)]
_RECORD = text(
    f"insert into shop.event ({', '.join(_COLUMNS)}) values ({', '.join(f':{column}' for column in _COLUMNS)})"
)


def salt_of_day(conn: Connection) -> DailySalt:
    """Return the salt of this day. The first call of a day makes the salt. `conn` belongs to the role app, on the
    primary."""
    day, salt, seconds = conn.execute(_SALT).one()
    return DailySalt(day, salt, time.monotonic() + float(seconds))


def record(conn: Connection, events: Sequence[Event]) -> None:
    conn.execute(_RECORD, [asdict(event) for event in events])
