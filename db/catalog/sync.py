"""Finds the products of a catalog that a feed does not name, and marks these products as out of stock or deletes them.

The products that a feed names are stored in a temporary table of the loading session. So the memory of the load does
not grow with the feed, and the table disappears if the load is killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

# The table has no primary key, because no query looks up a single row, and a feed can name a product twice.
_BEGIN = text("create temporary table named (product_id uuid not null)")
_NAME = text("insert into pg_temp.named select shop.product_id(s, :catalog) from unnest(cast(:skus as text[])) s")
_MISSING = """
create temporary table missing as
select p.product_id, row_number() over (order by p.product_id) as number
from shop.product p
where p.catalog = :catalog and not exists (select from pg_temp.named n where n.product_id = p.product_id)
"""
_STILL_OFFERED = "and p.availability is distinct from 'out_of_stock'"
_COUNT = text(
    "select (select count(*) from pg_temp.missing), (select count(*) from shop.product p where p.catalog = :catalog "
    "and exists (select from pg_temp.named n where n.product_id = p.product_id)), "
    "(select count(*) from shop.product p where p.catalog = :catalog)"
)
# Locks products in the order of product_id, as `store.put` does. The limits of m.number are two parameters. The second
# one cannot be :after + :rows, because PostgreSQL would type the sum as smallint and fail above 32,767 products.
_BATCH = """
with batch as materialized (
    select p.product_id from pg_temp.missing m join shop.product p using (product_id)
    where m.number > :after and m.number <= :until {condition} order by p.product_id for {lock} of p
)
"""
_MARK = text(
    _BATCH.format(condition=_STILL_OFFERED, lock="no key update")
    + "update shop.product p set availability = 'out_of_stock', updated_at = statement_timestamp() "
    "from batch b where p.product_id = b.product_id"
)
_DELETE = text(
    _BATCH.format(condition="", lock="update") + "delete from shop.product p using batch b "
    "where p.product_id = b.product_id"
)


@dataclass(frozen=True)
class Missing:
    """Three counts of the catalog's products."""

    to_change: int  # products that the feed does not name; without `delete`, only those not yet out of stock
    named: int  # products that the feed names
    products: int  # all products


def begin(conn: Connection) -> None:
    """Create the table of named products. Call this once per session."""
    conn.execute(_BEGIN)


def name(conn: Connection, skus: Sequence[str], catalog: str) -> None:
    """Record that the feed names these SKUs."""
    conn.execute(_NAME, {"skus": list(skus), "catalog": catalog})


def find_missing(conn: Connection, catalog: str, *, delete: bool) -> Missing:
    """Count the products that the feed does not name, and store their ids in a temporary table for `change`. Without
    `delete`, products that are already out of stock are left out. Call this once per session."""
    conn.execute(text("analyze pg_temp.named"))
    conn.execute(text(_MISSING if delete else _MISSING + _STILL_OFFERED), {"catalog": catalog})
    conn.execute(text("create unique index on pg_temp.missing (number)"))
    conn.execute(text("analyze pg_temp.missing"))
    return Missing(*conn.execute(_COUNT, {"catalog": catalog}).one())


def change(conn: Connection, after: int, rows: int, *, delete: bool) -> int:
    """Change the missing products with the numbers `after` + 1 to `after` + `rows`.

    With `delete`, the products are deleted, otherwise they are marked as out of stock. Returns the number of changed
    products.
    """
    return conn.execute(_DELETE if delete else _MARK, {"after": after, "until": after + rows}).rowcount
