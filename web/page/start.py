"""Reads what the start page shows besides products: categories with an image, and queries to try."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.search import ranking, suggestions
from db.search.ranking import SearchParams
from db.search.rows import BrowseItem
from web.api.facet_schemas import FacetOf
from web.page.products.hidden import Conditions, narrowed

CATEGORIES = 6  # fill whole rows of 2, 3 or 6
QUERIES = 5
_LONGEST = 30  # characters of a title that serves as an example of a query
_CANDIDATES = 4  # products of a category that are read; the first with an image stands for the category


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    product: BrowseItem


@dataclass(frozen=True, slots=True)
class Start:
    categories: list[Category]
    queries: list[str]


EMPTY = Start([], [])


def read_start(conn: Connection, catalog: str, facets: Sequence[FacetOf], hidden: Conditions) -> Start:
    """Read frequent product types, each with a product that has an image, and the most frequent queries of visitors.
    While there are no such queries, short titles of these products serve instead. Every product passes `hidden`."""
    types = next((facet.values for facet in facets if facet.field == "product_type"), [])
    names = [one.value for one in types if one.kind == "value" and one.value][:CATEGORIES]
    categories = [found for name in names if (found := _category(conn, catalog, name, hidden))]
    queries = [row.text for row in suggestions.suggest(conn, "", catalog, QUERIES, ("query",))]
    titles = (category.product.title.lower() for category in categories)
    return Start(categories, queries or [title for title in titles if len(title) <= _LONGEST][:QUERIES])


def _category(conn: Connection, catalog: str, name: str, hidden: Conditions) -> Category | None:
    params = SearchParams(filter=narrowed(None, {"product_type": [name], **hidden}), k=_CANDIDATES, catalog=catalog)
    products = ranking.browse(conn, params)
    return next((Category(name, product) for product in products if product.image_uri), None)
