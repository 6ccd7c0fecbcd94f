"""Runs the statements of a search on the driver's own cursor. SQLAlchemy would add half a millisecond to a search."""

from typing import Any

import psycopg
from sqlalchemy import Connection

from db.driver_errors import translated


def driver_rows(conn: Connection, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return all rows. `statement` names its parameters as in %(name)s."""
    cursor = conn.connection.cursor()
    try:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
    except psycopg.Error as error:
        raise translated(error) from error
    finally:
        cursor.close()
