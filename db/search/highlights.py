"""Finds the words of a query in the titles and descriptions of found products."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection, text

_MARKED = text("select * from shop_private.marked_products(:query, cast(:products as uuid[]), :described)")

WordPositions = dict[str, list[tuple[int, int]]]  # field -> first character, from 0, and number of characters


def highlights(conn: Connection, query: str | None, products: Sequence[UUID]) -> dict[UUID, WordPositions]:
    """Return, by product id, where words of `query` stand in `title` and `description`, counted in code points.

    The products are of one catalog. A product without a word of the query has two empty lists.
    """
    found: dict[UUID, WordPositions] = {product_id: {"title": [], "description": []} for product_id in products}
    if query:
        for product_id, field, place in _marked(conn, query, products, described=True):
            found[product_id][field].append(place)
    return found


def marked_titles(conn: Connection, query: str, products: Sequence[UUID]) -> dict[UUID, WordPositions]:
    """Return, by product id, where words of `query` stand in `title`, counted in code points. The products are of one
    catalog. A product without a word of the query in its title is left out."""
    found: dict[UUID, WordPositions] = {}
    for product_id, field, place in _marked(conn, query, products, described=False):
        found.setdefault(product_id, {field: []})[field].append(place)
    return found


def _marked(
    conn: Connection, query: str, products: Sequence[UUID], *, described: bool
) -> Iterator[tuple[UUID, str, tuple[int, int]]]:
    given = {"query": query, "products": list(products), "described": described}
    for product_id, field, first, length in conn.execute(_MARKED, given):
        yield product_id, field, (first, length)
