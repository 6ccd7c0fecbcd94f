"""Reads columns and titles of products, and whether the first image of a product is encoded."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, text

from db.tables.catalog import product


def details(conn: Connection, products: Sequence[UUID], columns: Sequence[str]) -> dict[UUID, dict[str, Any]]:
    """Return, by product id, the columns of shop.product that `columns` names. A decimal becomes a float."""
    wanted = select(product.c.product_id, *(product.c[name] for name in columns)).where(
        product.c.product_id.in_(bindparam("products", expanding=True))
    )
    found: dict[UUID, dict[str, Any]] = {}
    for product_id, *values in conn.execute(wanted, {"products": list(products)}):
        found[product_id] = {
            name: float(value) if isinstance(value, Decimal) else value
            for name, value in zip(columns, values, strict=True)
        }
    return found


def has_image_vector(conn: Connection, product_id: UUID) -> bool:
    """Return whether the serving model has encoded the first image of a product. shop.similar needs its vector."""
    wanted = text("select exists (select from shop.image_vector where product_id = :product_id and position = 0)")
    return bool(conn.scalar(wanted, {"product_id": product_id}))


def titles(conn: Connection, catalog: str, skus: Sequence[str]) -> dict[str, str]:
    """Return the titles of products of a catalog, by SKU."""
    wanted = select(product.c.sku, product.c.title).where(
        product.c.catalog == catalog, product.c.sku.in_(bindparam("skus", expanding=True))
    )
    return {row.sku: row.title for row in conn.execute(wanted, {"skus": list(skus)})}
