"""Checks that the schema in the database fits this code. A process runs this check before it starts work.

A schema may be newer than the code, because each revision states the oldest code that works with it
(docs/migrations.md). So the database can be upgraded while processes of the earlier code run.
"""

from sqlalchemy import Connection, text

from db.errors import SchemaMismatch

HEAD = "0042"  # the newest revision; a test checks that it is the head of migrations/versions


def applied(conn: Connection) -> str | None:
    """Return the revision of the database, or None when the database has no Windowshop schema."""
    if conn.scalar(text("select to_regprocedure('shop.schema_revision()')")) is None:
        return None
    return str(conn.scalar(text("select shop.schema_revision()")))


def check(conn: Connection) -> str:
    """Return the revision of the database, which is greater than HEAD if this process is behind the schema.

    Raises SchemaMismatch when the schema is missing, is older than this code, or does not serve this code any more.
    """
    revision = applied(conn)
    if revision is None:
        raise SchemaMismatch(
            f"database {conn.engine.url.database} has no Windowshop schema", hint='Run "windowshop db upgrade".'
        )
    if revision < HEAD:
        raise SchemaMismatch(
            f"the schema is at revision {revision}, this code needs {HEAD}", hint='Run "windowshop db upgrade".'
        )
    if revision > HEAD and (oldest := conn.scalar(text("select shop_private.oldest_code()"))) > HEAD:
        raise SchemaMismatch(
            f"the schema is at revision {revision}, ahead of this code ({HEAD}), and serves only code from {oldest} on",
            hint="A newer Windowshop has upgraded this database; upgrade this installation too.",
        )
    return revision
