"""Inserts products, compiles filters and runs the compiled filters."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

Session = psycopg.Connection[Any]
Product = Mapping[str, Any]  # maps columns to values; attributes are parsed JSON

COLUMNS = ("sku", "title", "brand", "product_type", "color", "size", "price", "created_at", "attributes")


def insert(conn: Session, products: Iterable[Product]) -> None:
    columns = ", ".join(COLUMNS)
    conn.execute(
        f"insert into shop.product (product_id, {columns}) select shop.product_id(sku), {columns} "
        "from jsonb_populate_recordset(null::shop.product, %s)",
        [json.dumps(list(products), default=str)],
    )


def compiled(conn: Session, wanted: Any) -> str:
    row = conn.execute("select shop.filter_sql(%s)", [json.dumps(wanted)]).fetchone()
    assert row is not None
    return str(row[0])


def compiled_or_refused(conn: Session, wanted: Any) -> str | psycopg.Error:
    try:
        with conn.transaction():
            return compiled(conn, wanted)
    except psycopg.Error as error:
        return error


def found(conn: Session, condition: str) -> list[str]:
    """Returns the SKUs that match. Without parameters, psycopg sends plain text that may contain several statements, so
    only the filter compiler prevents an injection."""
    return sorted(row[0] for row in conn.execute(f"select p.sku from shop.product p where {condition}"))  # type: ignore[arg-type]
