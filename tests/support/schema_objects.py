"""Describes the objects of a database as text, so that a test can compare two databases. Also changes the revision that
a database states."""

from db.engine import Database
from tests.support.databases import admin

CATALOG = {
    "columns": "select c.oid::regclass, a.attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, "
    "pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum) from pg_attribute a "
    "join pg_class c on c.oid = attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum "
    "where relnamespace in ({s}) and relkind in ('r', 'v') and attnum > 0",
    "tables": "select oid::regclass, relkind, relpersistence, relrowsecurity, reloptions::text, relacl::text "
    "from pg_class where relnamespace in ({s})",
    "constraints": "select conrelid::regclass, conname, pg_get_constraintdef(oid) from pg_constraint "
    "where connamespace in ({s})",
    "indexes": "select indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid from pg_index "
    "join pg_class c on c.oid = indexrelid where relnamespace in ({s})",
    "functions": "select oid::regprocedure, pg_get_functiondef(oid), proacl::text from pg_proc "
    "where pronamespace in ({s})",
    "views": "select oid::regclass, pg_get_viewdef(oid) from pg_class where relnamespace in ({s}) and relkind = 'v' ",
    "triggers": "select tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
    "policies": "select polname, polrelid::regclass, pg_get_expr(polqual, polrelid) from pg_policy",
    "enums": "select enumtypid::regtype, enumlabel, enumsortorder from pg_enum",
}


def catalog(database: Database) -> dict[str, list[str]]:
    """Returns the objects of schemas shop and shop_private for each kind, as text without object ids. The triggers,
    policies and enums are those of all schemas."""
    schemas = "'shop'::regnamespace, 'shop_private'::regnamespace"
    return {
        kind: sorted(str(row) for row in admin(database, query.format(s=schemas))) for kind, query in CATALOG.items()
    }


def leftovers(database: Database) -> list[str]:
    """Returns the names of the relations, functions and types of schemas shop and shop_private, except alembic's."""
    rows = admin(
        database,
        "select oid::regclass::text from pg_class where relnamespace::regnamespace::text in ('shop', 'shop_private') "
        "and relname !~ '^alembic_version' union all select oid::regprocedure::text from pg_proc "
        "where pronamespace::regnamespace::text in ('shop', 'shop_private') union all "
        "select oid::regtype::text from pg_type where typnamespace::regnamespace::text in ('shop', 'shop_private') "
        "and typname !~ 'alembic_version'",
    )
    return [row[0] for row in rows]


def later_schema(database: Database, revision: str, serves: str) -> None:
    """Let the database state a later revision, which serves code from `serves` on."""
    for name, value in (("shop.schema_revision", revision), ("shop_private.oldest_code", serves)):
        admin(
            database,
            f"create or replace function {name}() returns text language sql immutable parallel safe "
            f"as $$ select '{value}' $$",
        )
