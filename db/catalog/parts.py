"""Reads all products of some catalogs in parts of nearly equal size.

A part is a range of the primary key, product_id. A product_id is a hash, so the products are spread evenly over all
values of product_id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

_IDS = 1 << 128  # the number of values of product_id
_COUNTED = 50_000  # products are counted up to this number; the planner's estimate is used if it is larger
_COUNT = text(
    "select greatest((select count(*) from (select from shop.product limit :most) p), "
    "(select case when c.reltuples > :most then c.reltuples::bigint else 0 end from pg_class c "
    "where c.oid = 'shop.product'::regclass))"
)
_PART = text(
    "select p.sku, p.catalog, p.updated_at from shop.product p where p.product_id between :low and :high "
    "and (cast(:catalogs as text[]) is null or p.catalog = any(:catalogs)) order by p.product_id limit :most"
)


@dataclass(frozen=True, slots=True)
class Listed:
    sku: str
    catalog: str
    updated_at: datetime


def approximate_count(conn: Connection) -> int:
    """Return the number of products in all catalogs.

    The number is the planner's estimate if the estimate is above 50,000. Otherwise it is a count that stops at 50,000.
    """
    return int(conn.execute(_COUNT, {"most": _COUNTED}).scalar_one())


def part(conn: Connection, number: int, parts: int, catalogs: Sequence[str] | None, most: int) -> list[Listed]:
    """Return up to `most` products of one part. The parts are numbered from 0 to `parts` - 1. If `catalogs` is None,
    the part covers all catalogs."""
    low, high = _IDS * number // parts, _IDS * (number + 1) // parts - 1
    given = {"low": UUID(int=low), "high": UUID(int=high), "catalogs": catalogs and list(catalogs), "most": most}
    return [Listed(*row) for row in conn.execute(_PART, given)]
