"""Reads the prices of products whose price is reduced, or that have a sale price but no regular price."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from db.search.driver import driver_rows


@dataclass(frozen=True, slots=True)
class Offer:
    """`price` is the price at the time of the statement. `before` is the higher price before the reduction, or None if
    the price is not reduced."""

    price: Decimal | None
    before: Decimal | None


_OFFERS = """
    select p.product_id, o.price, case when o.price < o.before then o.before end as before
    from shop.product p
    cross join lateral (
        select shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) as price,
            greatest(p.price, p.compare_at_price) as before
    ) o
    where p.product_id = any(%(products)s::uuid[]) and num_nonnulls(p.sale_price, p.compare_at_price) > 0
        and (o.price < o.before or o.price is distinct from p.price)
"""


def offers(conn: Connection, products: Sequence[UUID]) -> dict[UUID, Offer]:
    """Return, by product id, the offers of the products whose price is reduced, or that have a sale price but no
    regular price."""
    rows = driver_rows(conn, _OFFERS, {"products": list(products)})
    return {product_id: Offer(price, before) for product_id, price, before in rows}
