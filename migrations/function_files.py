"""Turns the files of `db/functions` into the functions, views and result types of a database.

    create or replace     a function whose arguments and result stay the same; dependent objects stay, too
    drop, then create     a function whose arguments or result change. With `or replace`, PostgreSQL would refuse
                          the new function, or keep the old function beside the new one
    drop                  a function of shop_private that no file defines any more
    alter type            a result type of schema shop whose file has more columns at the end
    create or replace     a trigger whose definition changes: see `triggers.py`

All changes happen in the caller's transaction, after the revisions. So a revision need not drop a function whose file
is renamed or changed. There is one exception: if a revision changes a type or a table that the old function uses, the
revision first drops this function (`op.drop_functions`).

Objects that a site has built on our functions are never dropped: `check_dependents` stops an upgrade before its first
change.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db import functions
from db.errors import DatabaseError
from db.schema import HEAD
from migrations.comments import header_comments, table_comments
from migrations.dependents import Dependent, dependents, refuse
from migrations.operations.functions import drop_routines
from migrations.operations.locking import SHARE_ROW_EXCLUSIVE, TABLES, lock_in_order
from migrations.triggers import TRIGGER, unchanged_triggers

_DEFINITION = re.compile(
    r"^create or replace (?:function|procedure) (shop|shop_private)\.(\w+)\b"
    r".*?(?:\bas (\$\w*\$).*?\3[^;]*;|\breturn\b[^;]*;)",
    re.DOTALL | re.MULTILINE,
)
RESULT_TYPE = re.compile(r"^create type (shop\.\w+) as \(.*?\n\);", re.DOTALL | re.MULTILINE)
DEFINED = re.compile(r"create or replace (?:function|procedure|view) (shop|shop_private)\.(\w+)")
# Revisions define these functions, because generated columns, indexes and check constraints use them, directly or
# through another function.
FROZEN = {
    ("shop_private", name)
    for name in (
        "query_id",
        "keywords",
        "attribute_words",
        "without_addresses",
        "with_forms",
        "bigrams",
        "word_parts",
        "word_pieces",
        "mark_decimals",
        "fold",
        "suggestion_key",
        "identifier_key",
        "identifier_keys",
    )
}

Files = Sequence[tuple[str, str]]  # the name and SQL of each file; a function comes after the functions that it calls


@dataclass(frozen=True)
class Routine:
    oid: int
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class GrownType:
    oid: int
    name: str
    columns: list[str]  # the new columns, each with its type


@dataclass(frozen=True)
class Changes:
    """The changes that `create or replace` cannot make."""

    routines: list[Routine]  # their arguments or results change
    removed: list[Routine]  # no file defines these any more
    types: list[GrownType]


def read_files(conn: Connection, roles: Mapping[str, str], schemas: Mapping[str, str]) -> Files:
    """Return the files with the names of this site in place of words such as `@owner@` and `@vector@`.

    `roles` maps words to names of roles, `schemas` maps words to the schemas of the extensions.
    """
    quote = conn.dialect.identifier_preparer.quote
    return named_files(roles, {word: quote(schema) for word, schema in schemas.items()})


def named_files(roles: Mapping[str, str], schemas: Mapping[str, str]) -> Files:
    """Return the files as `read_files` does. The names in `schemas` are quoted."""
    names = {**roles, **schemas, "revision": HEAD, "serves": oldest_code()}
    return list(functions.statements(names))


@cache
def oldest_code() -> str:
    """Return the revision of the oldest code that works with the newest revision. `serves` in the file of the newest
    revision names it."""
    folder = Path(__file__).parent
    script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
    return str(script.get_revision(HEAD).module.serves)


def apply_functions(conn: Connection, files: Files) -> None:
    """Replace every function, view and result type by the definition in its file. The session acts as the owner."""
    _execute(conn, ";\n".join(table_comments(conn)))  # first, because views copy these comments
    kept = unchanged_triggers(conn, files)
    changed = {found[1] for _, sql in files for found in TRIGGER.finditer(sql) if found[0] not in kept}
    if not changed.isdisjoint(TABLES):
        _execute(conn, lock_in_order(SHARE_ROW_EXCLUSIVE, changed))
    changes = _changes(conn, files)
    dropped = [routine.oid for routine in changes.routines]
    own = _own_dependents(conn, files, changes)
    views = [one for one in own if one.kind == "view"]
    dropped += [one.oid for one in own if one.catalog == "pg_proc"]
    grants = _grants(conn, dropped, [view.oid for view in views])
    if views:
        _execute(conn, f"drop view {', '.join(view.identity for view in views)}")
    drop_routines(conn, dropped)
    sql = TRIGGER.sub(lambda found: "" if found[0] in kept else found[0], ";\n".join(sql for _, sql in files))
    _execute(conn, RESULT_TYPE.sub(lambda definition: _growth(conn, definition), sql))
    drop_routines(conn, [routine.oid for routine in changes.removed])
    for grant in grants:
        _execute(conn, grant)
    _execute(conn, ";\n".join(header_comments(files)))


def check_dependents(conn: Connection, files: Files) -> None:
    """Raise DependentObjects if applying the files would drop or break an object that is not ours."""
    _own_dependents(conn, files, _changes(conn, files))


def _own_dependents(conn: Connection, files: Files, changes: Changes) -> list[Dependent]:
    """Return our own objects that depend on changed or removed functions and are not removed themselves. The files of
    these objects create them again.

    Raises DependentObjects if objects of the site depend on changed or removed functions, or hold rows of a type that
    gets new columns.
    """
    ours = _defined(files)
    found = dependents(conn, "pg_proc", [routine.oid for routine in changes.routines + changes.removed])
    own = [one for one in found if _is_ours(one, ours)]
    blocking = [one for one in found if one not in own]
    for grown in changes.types:
        blocking += [one for one in dependents(conn, "pg_type", [grown.oid]) if one.holds_rows and one not in blocking]
    refuse([*map(str, changes.routines + changes.removed), *(grown.name for grown in changes.types)], blocking)
    removed = {routine.oid for routine in changes.removed}
    return [one for one in own if one.catalog != "pg_proc" or one.oid not in removed]


def _is_ours(one: Dependent, defined: set[tuple[str, str]]) -> bool:
    if one.kind == "trigger":  # a trigger of our tables, which a file creates again
        return one.schema in ("shop", "shop_private")
    return (one.schema, one.name) in defined


def _changes(conn: Connection, files: Files) -> Changes:
    """Find the changes by a trial: create each function whose name is already in the database, without a check of its
    body, note which of them PostgreSQL refuses, and roll back."""
    present = _present(conn)
    if not present:
        return Changes([], [], [])
    names = {(routine.schema, routine.name) for routine in present}
    defined = _defined(files)
    refused: set[tuple[str, str]] = set()
    with conn.begin_nested() as attempt:
        conn.execute(text("set local check_function_bodies = off"))
        known = [one for one in _definitions(files) if one[:2] in names]
        # All definitions are tried as one statement first, with a single savepoint. Usually no definition conflicts.
        if not _replaces(conn, "\n".join(definition for _, _, definition in known)):
            refused = {(schema, name) for schema, name, definition in known if not _replaces(conn, definition)}
        before = {routine.oid for routine in present}
        beside = {(routine.schema, routine.name) for routine in _present(conn) if routine.oid not in before}
        types = [grown for _, sql in files for match in RESULT_TYPE.finditer(sql) for grown in _grown(conn, match)]
        attempt.rollback()
    return Changes(
        [one for one in present if (one.schema, one.name) in (refused | beside)],
        [one for one in present if one.schema == "shop_private" and (one.schema, one.name) not in defined],
        types,
    )


def _replaces(conn: Connection, definition: str) -> bool:
    with conn.begin_nested() as savepoint:
        try:
            _execute(conn, definition)
        except DatabaseError as error:
            savepoint.rollback()
            # These errors mean that the result or the name of an argument has changed, or that the function uses an
            # object that a revision of this upgrade has yet to create.
            if not (error.sqlstate or "").startswith(("42", "3F")):
                raise
            return False
    return True


def _grown(conn: Connection, definition: re.Match[str]) -> Iterator[GrownType]:
    """Yield the type if it has fewer columns in the database than in the file. Raises DatabaseError for a changed
    column."""
    name = definition[1]
    oid = conn.scalar(text("select to_regtype(:name)::oid"), {"name": name})
    if oid is None:
        return
    _execute(conn, definition[0].replace(f"create type {name}", "create type shop_private.grown_type", 1))
    old, new = _columns(conn, name), _columns(conn, "shop_private.grown_type")
    _execute(conn, "drop type shop_private.grown_type")
    if new[: len(old)] != old:
        raise DatabaseError(f"type {name} has other columns than its file: new columns must come at the end")
    if new != old:
        yield GrownType(oid, name, new[len(old) :])


def _columns(conn: Connection, type_: str) -> list[str]:
    rows = conn.scalars(
        text(
            "select format('%I %s', attname, format_type(atttypid, atttypmod)) from pg_attribute "
            "where attrelid = to_regclass(:type) and attnum > 0 and not attisdropped order by attnum"
        ),
        {"type": type_},
    )
    return list(rows)


def _growth(conn: Connection, definition: re.Match[str]) -> str:
    """Return the CREATE TYPE, or, if the type exists, the SQL that adds the columns that it lacks."""
    if conn.scalar(text("select to_regtype(:name)"), {"name": definition[1]}) is None:
        return definition[0]
    [columns] = [grown.columns for grown in _grown(conn, definition)] or [[]]
    return (
        f"alter type {definition[1]} {', '.join(f'add attribute {column}' for column in columns)};" if columns else ""
    )


def _definitions(files: Files) -> Iterator[tuple[str, str, str]]:
    for _, sql in files:
        for match in _DEFINITION.finditer(sql):
            yield match[1], match[2], match[0]


def _defined(files: Files) -> set[tuple[str, str]]:
    return {(schema, name) for _, sql in files for schema, name in DEFINED.findall(sql)} | FROZEN


def _present(conn: Connection) -> list[Routine]:
    """Return the functions that belong to the current role, the owner. A site may have its own functions in the
    schemas."""
    rows = conn.execute(
        text(
            "select p.oid, n.nspname, p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
            "where n.nspname in ('shop', 'shop_private') and p.proowner = current_user::regrole order by p.oid"
        )
    )
    return [Routine(*row) for row in rows]


def _grants(conn: Connection, routines: Sequence[int], views: Sequence[int]) -> list[str]:
    """Return GRANT statements for the rights of other roles on functions and views that are dropped and created again.

    CREATE OR REPLACE keeps such rights, but a drop does not.
    """
    rows = conn.scalars(
        text(
            "select format('grant %s on %s to %s%s', a.privilege_type, o.object, a.grantee::regrole, "
            "case when a.is_grantable then ' with grant option' else '' end) from ("
            "select format('routine %I.%I', n.nspname, p.proname) as object, p.proacl as acl, p.proowner as owner "
            "from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = any(:routines) "
            "union all select oid::regclass::text, relacl, relowner from pg_class where oid = any(:views)"
            ") o, aclexplode(o.acl) a where a.grantee not in (0, o.owner)"
        ),
        {"routines": list(routines), "views": list(views)},
    )
    return list(rows)


def _execute(conn: Connection, sql: str) -> None:
    conn.exec_driver_sql(sql, execution_options={"no_parameters": True})  # bodies may hold % and :
