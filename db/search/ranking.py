"""The search functions as typed calls: what `shop.search` and its family take and return.

Works on a synchronous connection and inside `AsyncConnection.run_sync`. Errors are `db.errors`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import Diagnostic
from sqlalchemy import Connection

from db.engine import translated

_NOTHING_FOUND = "no product was found: "  # how shop.search begins the notice it gives instead of rows
_ONLY_KEYWORDS = "only keywords were searched"  # and its reason, when a query could not be encoded
_HIT, _MISS = "query vector: cached", "query vector: to be encoded"  # what shop_private.query_vector says of each one
CACHE_NOTICE_LEVEL = "debug1"  # the client_min_messages of sessions that hear that


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParams:
    """The arguments of shop.search (docs/search.md). `inputs` and `filter` are JSON."""

    query: str | None = None
    image: bytes | None = None
    inputs: str | None = None
    filter: str | None = None
    k: int = 10
    catalog: str = "main"
    image_weight: float | None = None
    title_weight: float | None = None
    keyword_weight: float | None = None
    min_similarity: float | None = None
    max_gap: float | None = None
    after: str | None = None
    degrade: bool = False


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A row of shop.search and shop.similar. Distances are cosine distances; null for a leg that did not find it."""

    rank: int
    product_id: UUID
    sku: str
    title: str
    brand: str | None
    product_type: str | None
    price: Decimal | None
    currency: str | None
    availability: str | None
    color: str | None
    link: str | None
    image_link: str | None
    image_uri: str | None
    image_position: int
    score: float
    image_rank: int | None
    image_distance: float | None
    image_contribution: float | None
    title_rank: int | None
    title_distance: float | None
    title_contribution: float | None
    keyword_rank: int | None
    keyword_score: float | None
    keyword_contribution: float | None
    route: str
    rows_examined: int
    complete: bool
    reason: str | None
    total: int
    total_is: str
    cursor: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Results, best first, and what they have in common; without results that is not in `rows`. Cache hits and misses,
    of texts and pictures, are known to sessions that hear messages of level CACHE_NOTICE_LEVEL."""

    rows: list[SearchHit]
    reason: str | None
    degraded: bool
    cache_hits: int
    cache_misses: int


@dataclass(frozen=True, slots=True)
class BrowseItem:
    """A row of shop.browse: a product that is shown because it is there."""

    product_id: UUID
    sku: str
    title: str
    brand: str | None
    product_type: str | None
    price: Decimal | None
    currency: str | None
    availability: str | None
    color: str | None
    link: str | None
    image_link: str | None
    image_uri: str | None
    image_position: int


@dataclass(frozen=True, slots=True)
class ExplainStep:
    """A row of shop.explain_search."""

    step: str
    route: str | None
    index_name: str | None
    ef_search: int | None
    found: int | None
    examined: int | None
    ms: float | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Facet:
    """A row of shop.facets: a value, a range, all other values, or the products that have none."""

    field: str
    value: str | None
    low: Decimal | None
    high: Decimal | None
    products: int
    kind: str
    exact: bool
    note: str | None


def _given(*names: str) -> str:
    return ", ".join(f"{name} => %({name})s" for name in names)


_COLUMNS = ", ".join(field.name for field in fields(SearchHit))
_ARGUMENTS = _given(*(field.name for field in fields(SearchParams) if field.name != "after"))
_SEARCH = f"select {_COLUMNS} from shop.search({_ARGUMENTS}, after => %(after)s)"
_EXPLAIN = f"select * from shop.explain_search({_ARGUMENTS})"
_SIMILAR = (
    f"select {_COLUMNS} from shop.similar(%(sku)s, "
    f"{_given('filter', 'k', 'catalog', 'min_similarity', 'max_gap', 'after')}, "
    "image_weight => coalesce(%(image_weight)s, 1), title_weight => coalesce(%(title_weight)s, 0))"
)
_BROWSE = f"select * from shop.browse({_given('filter', 'k', 'catalog')}, after => cast(%(after)s as uuid))"
_FACETS = f"select * from shop.facets({_given('filter', 'fields', 'catalog', 'limit_values', 'buckets')})"


def search(conn: Connection, asked: SearchParams) -> SearchResult:
    return _ranking(conn, _SEARCH, asdict(asked))


def similar(conn: Connection, sku: str, asked: SearchParams) -> SearchResult:
    """Products that look like one. Of `asked`, what shop.similar takes."""
    return _ranking(conn, _SIMILAR, {**asdict(asked), "sku": sku})


def explain(conn: Connection, asked: SearchParams) -> list[ExplainStep]:
    return [ExplainStep(*row) for row in _rows(conn, _EXPLAIN, asdict(asked))]


def browse(conn: Connection, asked: SearchParams) -> list[BrowseItem]:
    """Products to look at when nothing is asked. Of `asked`, what shop.browse takes; `after` is a product_id."""
    return [BrowseItem(*row) for row in _rows(conn, _BROWSE, asdict(asked))]


def facets(
    conn: Connection, filter_: str | None, names: list[str], catalog: str, limit_values: int, buckets: int
) -> list[Facet]:
    parameters = {
        "filter": filter_,
        "fields": names,
        "catalog": catalog,
        "limit_values": limit_values,
        "buckets": buckets,
    }
    return [Facet(*row) for row in _rows(conn, _FACETS, parameters)]


def _ranking(conn: Connection, statement: str, parameters: dict[str, Any]) -> SearchResult:
    with _notices(conn) as notices:
        rows = [SearchHit(*row) for row in _rows(conn, statement, parameters)]
    reason = rows[0].reason if rows else next((n for n in notices if n.startswith(_NOTHING_FOUND)), None)
    reason = reason and reason.removeprefix(_NOTHING_FOUND)
    degraded = (reason or "").startswith(_ONLY_KEYWORDS)
    return SearchResult(rows, reason, degraded, notices.count(_HIT), notices.count(_MISS))


def _rows(conn: Connection, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """By the driver's own cursor: what SQLAlchemy does with 31 columns costs half a millisecond."""
    cursor = conn.connection.cursor()
    try:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
    except psycopg.Error as error:
        raise translated(error) from error
    finally:
        cursor.close()


@contextmanager
def _notices(conn: Connection) -> Iterator[list[str]]:
    """The messages the database gives meanwhile."""
    raw = conn.connection.driver_connection
    assert raw is not None
    said: list[str] = []

    def hear(notice: Diagnostic) -> None:
        said.append(notice.message_primary or "")

    raw.add_notice_handler(hear)
    try:
        yield said
    finally:
        raw.remove_notice_handler(hear)
