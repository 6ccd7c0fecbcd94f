"""Does the schema in the database fit this code? Asked by every process before it works."""

from sqlalchemy import Connection, text

from db.errors import SchemaMismatch

HEAD = "0009"  # the newest revision of the project; a test holds it equal to the head of migrations/versions


def applied(conn: Connection) -> str | None:
    """The revision of the database; None when it has no Windowshop schema."""
    if conn.scalar(text("select to_regprocedure('shop.schema_revision()')")) is None:
        return None
    return str(conn.scalar(text("select shop.schema_revision()")))


def check(conn: Connection) -> None:
    """Raises SchemaMismatch when the schema is missing, behind or ahead."""
    revision = applied(conn)
    if revision is None:
        raise SchemaMismatch(
            f"database {conn.engine.url.database} has no Windowshop schema", hint='Run "windowshop db upgrade".'
        )
    if revision < HEAD:
        raise SchemaMismatch(
            f"the schema is at revision {revision}, this code needs {HEAD}", hint='Run "windowshop db upgrade".'
        )
    if revision > HEAD:
        raise SchemaMismatch(
            f"the schema is at revision {revision}, ahead of this code ({HEAD})",
            hint="A newer Windowshop has upgraded this database; upgrade this one too.",
        )
