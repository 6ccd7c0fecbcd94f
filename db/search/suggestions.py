"""Calls `shop.suggest`, with types for its arguments and results."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

KINDS = ("query", "type", "brand", "product")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A row of shop.suggest. If `kind` is product, `count` is None, and `product_id` and `sku` name the product."""

    kind: str
    text: str
    count: int | None
    product_id: UUID | None
    sku: str | None
    corrected: bool


_SUGGEST = text(
    "select kind, text, count, product_id, sku, corrected from shop.suggest(prefix => :prefix, catalog => :catalog, "
    "k => :k, kinds => :kinds, filter => cast(:filter as jsonb))"
)


def suggest(
    conn: Connection, prefix: str, catalog: str, k: int, kinds: Sequence[str] = KINDS, filter_: str | None = None
) -> list[Suggestion]:
    """Return at most k suggestions for the beginning of a query. `filter_` is JSON. With a filter, or for a role that
    does not see every product, no query is suggested. The counts are then those of the products that the role sees and
    that pass the filter."""
    given = {"prefix": prefix, "catalog": catalog, "k": k, "kinds": list(kinds), "filter": filter_}
    return [Suggestion(*row) for row in conn.execute(_SUGGEST, given)]
