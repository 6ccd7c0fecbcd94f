"""Search as SQL to run or to show: the ranking function `shop.search`, or, with an SQL condition of one's own, plain
ordered SQL on `shop.searchable`."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import sql
from sqlalchemy import Connection

from db.errors import SettingsError, StatementRefused

MAX_RESULTS = 1000
COLUMNS = ("sku", "title", "product_type", "price", "currency", "availability")


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `filter` is JSON (docs/filters.md); `where` an SQL condition on shop.searchable."""

    text: str | None = None
    image: bytes | None = None
    filter: str | None = None
    where: str | None = None
    k: int = 10


@dataclass(frozen=True, slots=True)
class Hit:
    sku: str
    title: str
    product_type: str | None
    price: Decimal | None
    currency: str | None
    availability: str | None
    similarity: float | None  # cosine of query and picture; None: its picture was not among the nearest
    score: float | None = None  # of rank fusion


def search(conn: Connection, query: Query) -> list[Hit]:
    """The k best products, best first.

    Raises SettingsError for an empty or unbounded query, StatementRefused for a condition PostgreSQL does not take,
    EncoderUnavailable when the query cannot be encoded.
    """
    raw = conn.connection.driver_connection
    assert raw is not None
    statement = as_sql(query).as_string(raw)
    raw.prepare_threshold = 0  # a prepared statement is one statement: a condition cannot end it and begin another
    try:
        rows = conn.exec_driver_sql(statement, execution_options={"no_parameters": True})
    except StatementRefused as error:
        if query.where and (error.sqlstate or "").startswith("42"):
            raise StatementRefused(
                f"--where {query.where!r}: {error.message}",
                hint=error.hint
                or "It is an SQL condition on shop.searchable, for example: price < 80 AND product_type = 'Home'",
            ) from error
        raise
    return [Hit(*row) for row in rows]


def as_sql(query: Query, image_literal: sql.Composable | None = None) -> sql.Composed:
    """The statement itself, to run or to show. `image_literal` stands for the picture where it is shown."""
    if query.text is None and query.image is None and image_literal is None:
        raise SettingsError("nothing to search for", hint="Give a text, a picture (--image FILE), or both.")
    if query.text is not None and not query.text.strip():
        raise SettingsError("the query text is empty", hint="Describe what the product looks like.")
    if not 1 <= query.k <= MAX_RESULTS:
        raise SettingsError(f"{query.k} results were asked for; 1 to {MAX_RESULTS} can be had")
    if query.where is None:
        return _ranked(query, image_literal)
    if query.filter is not None:
        raise SettingsError("a filter and an SQL condition at once", hint="Give --filter or --where.")
    return _ordered(query, image_literal)


def _ranked(query: Query, image_literal: sql.Composable | None) -> sql.Composed:
    arguments: list[sql.Composable] = []
    if query.text is not None:
        arguments.append(sql.SQL("query => {}").format(sql.Literal(query.text)))
    if image_literal is not None or query.image is not None:
        arguments.append(sql.SQL("image => {}").format(image_literal or sql.Literal(query.image)))
    if query.filter is not None:
        try:
            json.loads(query.filter)
        except ValueError as error:
            raise SettingsError(
                f"the filter is not JSON: {error}", hint='For example: {"price": {"lt": 80}, "product_type": "bags"}'
            ) from error
        arguments.append(sql.SQL("filter => {}").format(sql.Literal(query.filter)))
    arguments.append(sql.SQL("k => {}").format(sql.Literal(query.k)))
    return sql.SQL("SELECT {columns}, 1 - image_distance AS similarity, score\nFROM shop.search({arguments})").format(
        columns=sql.SQL(", ".join(COLUMNS)), arguments=sql.SQL(", ").join(arguments)
    )


def _ordered(query: Query, image_literal: sql.Composable | None) -> sql.Composed:
    vector = sql.SQL("SELECT {}").format(_vector(query, image_literal))
    where: sql.Composable = sql.SQL("")
    if query.where:
        # A condition of the user's own, run as a role that can only read; the newline ends a comment in it.
        end = "\n)\n" if "--" in query.where else ")\n"
        where = sql.SQL("WHERE (" + query.where.replace("{", "{{").replace("}", "}}") + end).format()
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


def row_as_json(hit: Hit) -> dict[str, Any]:
    return {
        name: float(value) if isinstance(value := getattr(hit, name), Decimal) else value
        for name in (*COLUMNS, "similarity", "score")
    }
