"""Prepares a database for the first revision: extensions, roles, schemas. Every step can run again.

For a superuser, `prepare` creates everything. For a database owner without superuser rights (managed PostgreSQL), an
administrator must run the statements of `admin_commands` first. Until then `prepare` raises an error that shows these
statements.
"""

from dataclasses import dataclass, fields

from sqlalchemy import Connection, text

from db.errors import DatabaseError, MissingExtension
from db.lifecycle.extensions import OLDER
from db.lifecycle.gateway import is_public
from db.roles import Roles
from migrations.logins import create_roles

DBLINK_SCHEMA = "shop_dblink"
TRGM_SCHEMA = "shop_trgm"


@dataclass(frozen=True)
class Extensions:
    """The schemas in which pgvector, dblink and pg_trgm are installed."""

    vector: str
    dblink: str
    pg_trgm: str

    def by_word(self) -> dict[str, str]:
        """Return the names that replace `@vector@`, `@dblink@` and `@trgm@` in a function file."""
        return {"vector": self.vector, "dblink": self.dblink, "trgm": self.pg_trgm}


def prepare(conn: Connection, roles: Roles) -> Extensions:
    """Create or check extensions, roles and schemas, in one transaction of the administrator's connection.

    Raises MissingExtension, which names the extension and says what an administrator must do. Raises DatabaseError if
    PostgreSQL is older than 17, if the database is not encoded in UTF8 or if rights are missing. Also raises
    DatabaseError if PUBLIC may use dblink, because then any user could open connections from the server.
    """
    admin = conn.scalar(text("select current_user"))
    if not conn.scalar(text("select current_setting('server_version_num')::int >= 170000")):
        raise DatabaseError("this PostgreSQL is older than 17", hint="Windowshop is tested on PostgreSQL 18.")
    encoding = conn.scalar(text("select current_setting('server_encoding')"))
    if encoding != "UTF8":
        raise DatabaseError(
            f"this database is encoded in {encoding}, which cannot hold every product's text",
            hint="Create a database with: create database NAME encoding 'UTF8' template template0",
        )
    superuser = bool(conn.scalar(text("select rolsuper from pg_roles where rolname = current_user")))
    if superuser:
        _create_extensions(conn)
    _create_trgm(conn)
    if superuser:
        _update_extensions(conn)
    extensions = _find_extensions(conn, admin)
    _check_dblink(conn, extensions.dblink, admin, superuser)
    create_roles(conn, roles)
    owner = _quote(conn, roles.owner)
    _check_open(conn, "vector", extensions.vector, roles)
    if extensions.pg_trgm == TRGM_SCHEMA:
        conn.execute(text(f"grant usage on schema {TRGM_SCHEMA} to {', '.join(_quote(conn, r) for r in roles.all)}"))
    _check_open(conn, "pg_trgm", extensions.pg_trgm, roles)
    for schema in ("shop", "shop_private", "shop_jobs", "shop_signals"):
        conn.execute(text(f"create schema if not exists {schema} authorization {owner}"))
    dblink = _quote(conn, extensions.dblink)
    conn.execute(text(f"grant usage on schema {dblink} to {owner}"))
    conn.execute(text(f"grant execute on all functions in schema {dblink} to {owner}"))
    conn.execute(text(f"alter default privileges for role {owner} revoke execute on routines from public"))
    return extensions


def admin_commands(conn: Connection, admin: str) -> str:
    """Return the statements that an administrator runs once in this database, so that its owner need not be a
    superuser."""
    user, schema = _quote(conn, admin), DBLINK_SCHEMA
    return f"""\
    create extension if not exists vector;
    create schema if not exists {schema};
    create extension if not exists dblink schema {schema};
    revoke execute on all functions in schema {schema} from public;
    grant usage on schema {schema} to {user} with grant option;
    grant execute on all functions in schema {schema} to {user} with grant option;
    grant usage on foreign data wrapper dblink_fdw to {user};
    alter role {user} createrole;"""


def _create_extensions(conn: Connection) -> None:
    available = set(conn.scalars(text("select name from pg_available_extensions")))
    if "vector" in available:
        conn.execute(text("create extension if not exists vector"))
    if "pg_prewarm" in available:  # optional: "windowshop index warm" needs it
        conn.execute(text("create extension if not exists pg_prewarm"))
    if "dblink" in available and not conn.scalar(text("select 1 from pg_extension where extname = 'dblink'")):
        conn.execute(text(f"create schema if not exists {DBLINK_SCHEMA}"))
        conn.execute(text(f"create extension dblink schema {DBLINK_SCHEMA}"))
        conn.execute(text(f"revoke execute on all functions in schema {DBLINK_SCHEMA} from public"))


def _update_extensions(conn: Connection) -> None:
    """Update the extensions to the versions of the server's packages."""
    for name in conn.scalars(text(OLDER)).all():
        conn.execute(text(f"alter extension {name} update"))


def _create_trgm(conn: Connection) -> None:
    """Create pg_trgm. It is a trusted extension, so an owner of the database without superuser rights may create it."""
    available = conn.scalar(text("select 1 from pg_available_extensions where name = 'pg_trgm'"))
    if available and not conn.scalar(text("select 1 from pg_extension where extname = 'pg_trgm'")):
        conn.execute(text(f"create schema if not exists {TRGM_SCHEMA}"))
        conn.execute(text(f"create extension pg_trgm schema {TRGM_SCHEMA}"))


def installed(conn: Connection) -> Extensions | None:
    """Return the schemas of the extensions, or None while an extension is missing."""
    found = _installed(conn)
    return Extensions(**found) if len(found) == len(fields(Extensions)) else None


def _installed(conn: Connection) -> dict[str, str]:
    rows = conn.execute(
        text(
            "select extname, nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace "
            "where extname = any(:names)"
        ),
        {"names": [extension.name for extension in fields(Extensions)]},
    )
    return dict(rows.all())


def _find_extensions(conn: Connection, admin: str) -> Extensions:
    found = _installed(conn)
    available = set(conn.scalars(text("select name from pg_available_extensions")))
    database = conn.scalar(text("select current_database()"))
    for name, package in (
        ("vector", "pgvector"),
        ("dblink", "dblink (postgresql-contrib)"),
        ("pg_trgm", "pg_trgm (postgresql-contrib)"),
    ):
        if name in found:
            continue
        if name not in available:
            raise MissingExtension(
                f"the server of database {database} does not have the extension {name}",
                hint=f"Install {package} on the server (for example the package postgresql-18-pgvector, or the "
                "image pgvector/pgvector:pg18), then run the command again.",
            )
        raise MissingExtension(
            f"database {database} lacks the extension {name}",
            hint=f"An administrator runs once, in this database:\n{admin_commands(conn, admin)}",
        )
    return Extensions(**found)


def _check_dblink(conn: Connection, schema: str, admin: str, superuser: bool) -> None:
    if is_public(conn, _quote(conn, schema)):
        raise DatabaseError(
            f"PUBLIC may execute dblink's functions in schema {schema}: every user could connect from the server",
            hint="An administrator runs: revoke execute on all functions in schema "
            f"{_quote(conn, schema)} from public;",
        )
    usable = superuser or conn.scalar(
        text(
            "select has_foreign_data_wrapper_privilege('dblink_fdw', 'usage') and has_schema_privilege(:schema, "
            "'usage with grant option') and (select bool_and(has_function_privilege(p.oid, 'execute with grant option'"
            ")) from pg_proc p where p.pronamespace = to_regnamespace(quote_ident(:schema)) "
            "and p.proname like 'dblink%')"
        ),
        {"schema": schema},
    )
    if not usable:
        raise DatabaseError(
            f"role {admin} may not grant other roles the use of dblink",
            hint=f"An administrator runs once, in this database:\n{admin_commands(conn, admin)}",
        )


def _check_open(conn: Connection, extension: str, schema: str, roles: Roles) -> None:
    """Check that every role may use the schema of an extension, because every role uses vectors and trigrams."""
    closed = conn.scalars(
        text("select r from unnest(cast(:roles as text[])) r where not has_schema_privilege(r, :schema, 'usage')"),
        {"roles": roles.all, "schema": schema},
    ).all()
    if closed:
        raise DatabaseError(
            f"extension {extension} is installed in schema {schema}, which {', '.join(closed)} may not use",
            hint=f"An administrator runs: grant usage on schema {_quote(conn, schema)} to {', '.join(closed)}; "
            f"or moves the extension: alter extension {extension} set schema public;",
        )


def _quote(conn: Connection, name: str) -> str:
    return conn.dialect.identifier_preparer.quote(name)
