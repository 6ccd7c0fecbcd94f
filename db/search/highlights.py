"""Finds the words of a query in the titles and descriptions of found products."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, text

_HIGHLIGHTS = text(
    "select p.product_id, h.field, h.first, h.length from unnest(cast(:products as uuid[])) p(product_id), "
    "shop.highlights(:query, p.product_id) h"
)
_TITLES = text("select product_id, first, length from shop_private.marked_titles(:query, cast(:products as uuid[]))")

Places = dict[str, list[tuple[int, int]]]  # field -> first character, from 0, and number of characters


def highlights(conn: Connection, query: str | None, products: Sequence[UUID]) -> dict[UUID, Places]:
    """Return, by product id, where words of `query` stand in `title` and `description`, counted in code points.

    A product without a word of the query has two empty lists.
    """
    found: dict[UUID, Places] = {product_id: {"title": [], "description": []} for product_id in products}
    if query:
        for product_id, field, first, length in conn.execute(_HIGHLIGHTS, {"products": list(products), "query": query}):
            found[product_id][field].append((first, length))
    return found


def marked_titles(conn: Connection, query: str, products: Sequence[UUID]) -> dict[UUID, Places]:
    """Return, by product id, where words of `query` stand in `title`, counted in code points. The products are of one
    catalog. A product without a word of the query in its title is left out."""
    found: dict[UUID, Places] = {}
    for product_id, first, length in conn.execute(_TITLES, {"products": list(products), "query": query}):
        found.setdefault(product_id, {"title": []})["title"].append((first, length))
    return found
