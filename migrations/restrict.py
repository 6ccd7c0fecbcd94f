"""Revokes from PUBLIC the rights that no role of Windowshop needs.

Only a superuser may revoke these rights. For any other login nothing is changed, and SECURITY.md names the statements
for an administrator. If the database has large objects, they belong to another program, because Windowshop creates
none. PUBLIC then keeps the right to execute the functions of large objects.
"""

from psycopg import sql
from sqlalchemy import Connection, text

OTHER_DATABASES = ("postgres", "template1")  # the other databases of the embedded server that accept connections

_LARGE_OBJECTS = text(
    "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace "
    r"and (p.proname like 'lo\_%' or p.proname in ('loread', 'lowrite')) "
    "and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0) "
    "and not exists (select from pg_largeobject_metadata)"
)
_OPEN_DATABASES = text(
    "select d.datname from pg_database d where d.datname = any(:names) and d.datname <> current_database() "
    "and exists (select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a "
    "where a.grantee = 0 and a.privilege_type = 'CONNECT')"
)


def restrict(conn: Connection, *, is_embedded: bool) -> None:
    """Revoke the rights in the transaction of an administrator's connection. A second call changes nothing."""
    if not conn.scalar(text("select rolsuper from pg_roles where rolname = current_user")):
        return
    functions = conn.scalars(_LARGE_OBJECTS).all()
    if functions:
        _run(conn, sql.SQL(f"revoke execute on function {', '.join(functions)} from public"))
    if is_embedded:
        for name in conn.scalars(_OPEN_DATABASES, {"names": list(OTHER_DATABASES)}):
            _run(conn, sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(name)))


def _run(conn: Connection, statement: sql.Composable) -> None:
    conn.exec_driver_sql(statement.as_string(None), execution_options={"no_parameters": True})
