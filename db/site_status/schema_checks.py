"""Checks what `windowshop db upgrade` sets up, such as the schema, the roles, the gateway and the settings."""

import re

from sqlalchemy import Connection, text

from db import schema
from db.errors import DatabaseError, SchemaMismatch
from db.lifecycle import gateway, logins, row_security
from db.lifecycle.extensions import OLDER
from db.lifecycle.indexes import building
from db.roles import Roles
from db.site_status.finding import Finding, broken, fine, warning

UPGRADE = "windowshop db upgrade"
CHECK = "windowshop db check"


def schema_revision(conn: Connection, roles: Roles) -> Finding:
    try:
        revision = schema.check(conn)
    except SchemaMismatch as error:
        return broken(
            "schema", error.message, UPGRADE if (schema.applied(conn) or "") <= schema.HEAD else error.hint or ""
        )
    fits = "fits this version" if revision == schema.HEAD else f"still serves this version ({schema.HEAD})"
    return fine("schema", f"revision {revision} {fits}")


def every_role(conn: Connection, roles: Roles) -> Finding:
    """Report missing roles as broken, and logins that deviate from their rules as a warning."""
    if missing := logins.missing(conn, roles):
        return broken("roles", f"missing: {', '.join(missing)}", UPGRADE)
    if faults := logins.faults(conn, roles):
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        return warning("roles", f"{faults[0]}{more}", f"{UPGRADE}; {CHECK} lists all")
    return fine("roles", "all roles exist and follow their rules")


def dblink_rights(conn: Connection, roles: Roles) -> Finding:
    name = gateway.dblink_schema(conn)
    if name is None:
        return broken("dblink", "the extension dblink is not installed, so no new query can be encoded", UPGRADE)
    if gateway.is_public(conn, name):
        return broken(
            "dblink",
            f"PUBLIC may execute dblink's functions in schema {name}: every user could connect from the server",
            f"SQL: revoke execute on all functions in schema {name} from public",
        )
    return fine("dblink", "only the site's roles may use it")


def row_policies(conn: Connection, roles: Roles) -> Finding:
    if tables := row_security.unprotected(conn):
        return broken(
            "policies", f"these tables do not follow the policies of shop.product: {', '.join(tables)}", UPGRADE
        )
    return fine("policies", "all tables follow shop.product")


def signals(conn: Connection, roles: Roles) -> Finding:
    """Report the ranking signals that cannot be read. Searches leave them out."""
    conn.execute(text(f"set local role {conn.dialect.identifier_preparer.quote(roles.app)}"))
    states = conn.execute(text("select name, problem from shop.signal_state()")).all()
    if faults := [f"{name}: {problem}" for name, problem in states if problem is not None]:
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        return warning(
            "signals",
            f"searches leave out a signal: {faults[0]}{more}",
            "repair its view, or SQL: select shop.drop_signal",
        )
    return fine("signals", "all ranking signals can be read")


def gateway_target(conn: Connection, roles: Roles) -> Finding:
    """Open the gateway, as a search for a new text does. On a primary, check that the gateway leads to this
    database."""
    if gateway.is_elsewhere(conn):
        since = conn.scalar(_CREATED) if conn.scalar(_IS_SUPERUSER) else None
        return broken("gateway", "this database is a copy, and its gateway leads to the original", UPGRADE, since)
    try:
        end = gateway.reach(conn, roles)
    except DatabaseError as error:
        if error.sqlstate == INSUFFICIENT_PRIVILEGE:
            raise
        return broken("gateway", error.message, f"{UPGRADE}. {error.hint}", conn.scalar(_LAST_QUERY))
    if not conn.scalar(text("select pg_is_in_recovery()")) and end != gateway.own_end(conn):
        return broken(
            "gateway",
            f"it leads to database {end.database} of another server, which started at {end.started_at:%Y-%m-%d %H:%M}",
            "windowshop db adopt",
        )
    return fine("gateway", "leads to this database")


def database_settings(conn: Connection, roles: Roles) -> Finding:
    """Check the settings of the database. Without them, SQL with ORDER BY and LIMIT on a vector may return too few
    rows. A dump does not contain these settings."""
    kept = {pair.partition("=")[0] for pair in conn.scalar(_SETTINGS) or ()}
    if lost := [name for name in gateway.DATABASE_SETTINGS if name not in kept]:
        return warning("settings", f"the database has lost {', '.join(lost)}, so plain SQL finds fewer rows", UPGRADE)
    return fine("settings", ", ".join(f"{name} is set" for name in gateway.DATABASE_SETTINGS))


def extensions(conn: Connection, roles: Roles) -> Finding:
    rows = conn.execute(_EXTENSIONS).all()
    older = [row for row in rows if row.is_older]
    if older:
        what = "; ".join(f"{row.name} {row.used}, while the server has {row.installed}" for row in older)
        statements = "; ".join(f"alter extension {row.name} update" for row in older)
        return warning("extensions", f"the database uses {what}", f"{UPGRADE} as a superuser, or SQL: {statements}")
    return fine("extensions", ", ".join(f"{row.name} {row.used}" for row in rows))


def indexes(conn: Connection, roles: Roles) -> Finding:
    """Warn of the INVALID indexes that no running build will finish. If all indexes are valid, name the indexes over
    bits."""
    running = building(conn)
    invalid = [row for row in conn.execute(_INVALID) if row.oid not in running]
    if invalid:
        fixes = {_index_fix(row.name, is_deferred=row.deferred) for row in invalid}
        names = ", ".join(row.name for row in invalid)
        return warning("indexes", f"INVALID, so no search uses them: {names}", "; ".join(sorted(fixes)))
    if running:
        return fine("indexes", f"all are valid, except {len(running)} that are being built")
    bits = conn.scalars(_BITS).all()
    return fine("indexes", f"all are valid; over bits: {', '.join(bits)}" if bits else "all are valid")


def _index_fix(name: str, *, is_deferred: bool) -> str:
    if is_deferred:
        return "windowshop index build"
    if _LEFTOVER.search(name):
        return f"SQL: drop index concurrently {name}"
    return f"SQL: reindex index concurrently {name}"


# A failed REINDEX CONCURRENTLY leaves an index with such a name. PostgreSQL appends a number if the name is in use.
_LEFTOVER = re.compile(r'_cc(new|old)\d*"?$')
INSUFFICIENT_PRIVILEGE = "42501"
_IS_SUPERUSER = text("select rolsuper from pg_roles where rolname = current_user")
# The time at which this database was created: the database's file PG_VERSION is written then, and is not changed later.
_CREATED = text(
    "select (pg_stat_file('base/' || oid || '/PG_VERSION')).modification from pg_database "
    "where datname = current_database()"
)
# The gateway has worked at least until this time. While it does not work, no query is added to the cache.
_LAST_QUERY = text("select max(created_at) from shop_private.query_embedding")
_SETTINGS = text(
    "select setconfig from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase "
    "where d.datname = current_database() and s.setrole = 0"
)
_EXTENSIONS = text(
    "select e.extname as name, e.extversion as used, a.default_version as installed, "
    f"e.extname in ({OLDER}) as is_older from pg_extension e "
    "join pg_available_extensions a on a.name = e.extname "
    "where e.extname in ('vector', 'dblink', 'pg_trgm', 'pg_prewarm') order by e.extname = 'vector' desc, 1"
)
_BITS = text(
    "select c.relname from pg_class c join pg_am h on h.oid = c.relam and h.amname in ('hnsw', 'ivfflat') "
    "join pg_attribute a on a.attrelid = c.oid and a.attnum = 1 "
    "where c.relnamespace = to_regnamespace('shop') and a.atttypid = 'bit'::regtype order by 1"
)
_INVALID = text(
    "select i.indexrelid as oid, i.indexrelid::regclass::text as name, "
    "exists (select from shop.deferred_index d where d.name = c.relname) as deferred "
    "from pg_index i join pg_class c on c.oid = i.indexrelid "
    "where c.relnamespace in (to_regnamespace('shop'), to_regnamespace('shop_private')) and not i.indisvalid order by 2"
)
