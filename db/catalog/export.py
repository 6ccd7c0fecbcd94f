"""Reads all products of a catalog that pass a filter, through a cursor of the server."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from db.catalog.product import COLUMNS

BATCH = 100  # rows that are in memory at a time
_CONDITION = text("select shop.filter_sql(cast(:filter as jsonb))")


def export(conn: Connection, catalog: str, filter_: str | None) -> Iterator[list[dict[str, Any]]]:
    """Yield the products in batches, in the order of product_id. The caller's transaction must stay open.

    A product has the fields of PUT /products. Fields without a value are absent. Raises StatementRefused for an invalid
    filter.
    """
    condition: str = conn.execute(_CONDITION, {"filter": filter_ or "{}"}).scalar_one()
    statement = (
        f"select {', '.join(f'p.{name}' for name in COLUMNS)}, p.attributes, array(select i.uri "
        "from shop.product_image i where i.product_id = p.product_id order by i.position) as images "
        f"from shop.product p where p.catalog = %(catalog)s and ({condition.replace('%', '%%')}) order by p.product_id"
    )
    by_cursor = {"stream_results": True, "max_row_buffer": BATCH}
    rows = conn.exec_driver_sql(statement, {"catalog": catalog}, execution_options=by_cursor).mappings()
    for batch in rows.partitions(BATCH):  # the option yield_per has no effect on a statement that is a string
        yield [{name: _json(value) for name, value in row.items() if value not in (None, [], {})} for row in batch]


def _json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
