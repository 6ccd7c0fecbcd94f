"""Runs the searches of the command line, and shows their SQL.

Without an SQL condition, a search is a call of `shop.search`, which `db.search.ranking` runs. With a condition
(`where`), a search is plain ordered SQL on `shop.searchable`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

from psycopg import sql
from sqlalchemy import Connection

from db.catalog.catalogs import DEFAULT
from db.errors import SettingsError, StatementRefused
from db.functions.constants import MAX_RESULTS
from db.search import ranking
from db.search.ranking import SearchParams
from db.strict_json import parse

COLUMNS = ("sku", "title", "product_type", "price", "currency", "availability")


@dataclass(frozen=True, slots=True)
class Query:
    """A query of the command line. `filter` is JSON (docs/filters.md), `where` an SQL condition on shop.searchable."""

    text: str | None = None
    image: bytes | None = None
    filter: str | None = None
    where: str | None = None
    k: int = 10
    catalog: str | None = None  # None means main, or every catalog if there is a `where`
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product in the command line's list of results."""

    sku: str
    title: str
    product_type: str | None
    price: Decimal | None
    currency: str | None
    availability: str | None
    similarity: float | None  # cosine similarity of query and image; None: not found by image
    score: float | None = None  # the score of rank fusion


def search(conn: Connection, query: Query) -> list[ListedProduct]:
    """Return the k best products, best first.

    Raises SettingsError for an empty query, a `k` out of range, a filter that is not JSON, and a filter or a sort
    together with `where`. Raises StatementRefused for a condition or a filter that the database refuses, and
    EncoderUnavailable if the query cannot be encoded.
    """
    _check(query)
    if query.where is not None:
        return _search_where(conn, query)
    return [
        ListedProduct(
            hit.sku,
            hit.title,
            hit.product_type,
            hit.price,
            hit.currency,
            hit.availability,
            similarity=None if hit.image_distance is None else 1 - hit.image_distance,
            score=hit.score,
        )
        for hit in ranking.search(conn, _params(query)).rows
    ]


def as_sql(query: Query, image_literal: sql.Composable | None = None) -> sql.Composed:
    """Return the statement to show, with `image_literal` in place of the image's bytes.

    Raises SettingsError in the same cases as `search`.
    """
    _check(query, has_image=image_literal is not None)
    return _ranked(query, image_literal) if query.where is None else _ordered(query, image_literal)


def row_as_json(product: ListedProduct) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in asdict(product).items()}


def _check(query: Query, *, has_image: bool = False) -> None:
    if query.text is None and query.image is None and not has_image:
        raise SettingsError("nothing to search for", hint="Give a text, an image (--image FILE), or both.")
    if query.text is not None and not query.text.strip():
        raise SettingsError("the query text is empty", hint="Describe what the product looks like.")
    if not 1 <= query.k <= MAX_RESULTS:
        raise SettingsError(f"{query.k} results were requested; a search returns 1 to {MAX_RESULTS}")
    if query.sort is not None and query.where is not None:
        raise SettingsError("a sort cannot be combined with an SQL condition", hint="Give --sort or --where.")
    if query.filter is None:
        return
    if query.where is not None:
        raise SettingsError("a filter cannot be combined with an SQL condition", hint="Give --filter or --where.")
    try:
        parse(query.filter)
    except ValueError as error:
        raise SettingsError(
            f"the filter is not accepted: {error}", hint='For example: {"price": {"lt": 80}, "product_type": "bags"}'
        ) from error


def _params(query: Query) -> SearchParams:
    catalog = DEFAULT if query.catalog is None else query.catalog
    return SearchParams(
        query=query.text, image=query.image, filter=query.filter, k=query.k, catalog=catalog, sort=query.sort
    )


def _ranked(query: Query, image_literal: sql.Composable | None) -> sql.Composed:
    return sql.SQL("SELECT {columns}, 1 - image_distance AS similarity, score\nFROM shop.search({arguments})").format(
        columns=sql.SQL(", ".join(COLUMNS)),
        arguments=sql.SQL(", ").join(_arguments(_params(query), image_literal)),
    )


def _arguments(params: SearchParams, image_literal: sql.Composable | None) -> Iterator[sql.Composable]:
    """Yield k and every option that differs from its default."""
    for option in fields(SearchParams):
        value = getattr(params, option.name)
        if option.name == "image" and image_literal is not None:
            yield sql.SQL("image => {}").format(image_literal)
        elif option.name == "k" or value != option.default:
            yield sql.SQL("{} => {}").format(sql.SQL(option.name), sql.Literal(value))


def _search_where(conn: Connection, query: Query) -> list[ListedProduct]:
    raw = conn.connection.driver_connection
    assert raw is not None
    # psycopg then prepares the statement. The server prepares only one statement, so a condition cannot append another.
    raw.prepare_threshold = 0
    try:
        rows = conn.exec_driver_sql(_ordered(query, None).as_string(raw), execution_options={"no_parameters": True})
    except StatementRefused as error:
        if (error.sqlstate or "").startswith("42"):
            raise StatementRefused(
                f"--where {query.where!r}: {error.message}",
                hint=error.hint
                or "Give an SQL condition on shop.searchable, for example: price < 80 AND product_type = 'Home'",
            ) from error
        raise
    return [ListedProduct(*row) for row in rows]


def _ordered(query: Query, image_literal: sql.Composable | None) -> sql.Composed:
    vector = sql.SQL("SELECT {}").format(_vector(query, image_literal))
    conditions: list[sql.Composable] = []
    if query.catalog is not None:
        conditions.append(sql.SQL("catalog = {}").format(sql.Literal(query.catalog)))
    if query.where:
        # The user's own condition runs as a role that can only read. The newline ends a comment in the condition.
        end = "\n)" if "--" in query.where else ")"
        conditions.append(sql.SQL("(" + query.where.replace("{", "{{").replace("}", "}}") + end).format())
    where = sql.SQL("WHERE {}\n").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")
    return sql.SQL(
        "SELECT {columns}, 1 - (image_embedding <=> ({vector})) AS similarity\nFROM shop.searchable\n{where}"
        "ORDER BY image_embedding <=> ({vector})\nLIMIT {k}"
    ).format(
        columns=sql.SQL(", ".join(COLUMNS)),
        vector=vector,
        where=where,
        k=sql.Literal(query.k),
    )


def _vector(query: Query, image_literal: sql.Composable | None) -> sql.Composable:
    parts: list[sql.Composable] = []
    if query.text:
        parts.append(sql.SQL("shop.clip_text({})").format(sql.Literal(query.text)))
    if image_literal is not None:
        parts.append(sql.SQL("shop.clip_image({})").format(image_literal))
    elif query.image is not None:
        parts.append(sql.SQL("shop.clip_image({})").format(sql.Literal(query.image)))
    if len(parts) == 1:
        return parts[0]
    return sql.SQL("l2_normalize({} + {})").format(*parts)
