"""Tells whether the gateway of a database leads to the database itself, or to the original of which it is a copy."""

from sqlalchemy import Connection, text

from db.errors import DatabaseError


def is_elsewhere(conn: Connection) -> bool:
    return bool(conn.scalar(text("select shop_private.gateway_is_elsewhere()")))


def check(conn: Connection) -> None:
    """Raise DatabaseError if this database is a copy whose gateway leads to the original."""
    if is_elsewhere(conn):
        raise DatabaseError(
            "this database is a copy, and its gateway leads to the original",
            hint='Run "windowshop db upgrade", which points it to the copy.',
        )
