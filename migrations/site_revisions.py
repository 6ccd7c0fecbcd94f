"""Keeps the revisions of a site in its database, so that a command can migrate the database even if its home folder
lacks the files of the revisions.

A revision is stored by the transaction that applies it, and deleted by the transaction that reverts it. Before Alembic
reads the folder of the revisions, `restore` writes the files that the folder lacks.

A stored revision is a program, and the machine of the administrator runs it. Somebody who can change the stored row
must not be able to run other code on that machine. So `restore` accepts only operations whose arguments are literals or
texts of SQL, such as `op.list_catalog("starter")`.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from alembic.script import Script
from psycopg import sql
from sqlalchemy import Connection, text

from db.errors import DatabaseError

BRANCH = "site"  # the label of the branch of site revisions, which begins with the revision that adds the first model
_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_IS_KEPT = text("select to_regclass('shop_private.site_revision') is not null")
_KEEP = text(
    "insert into shop_private.site_revision as s (revision, script) values (:revision, :script) "
    "on conflict (revision) do update set script = excluded.script where s.script <> excluded.script"
)
_FORGET = text("delete from shop_private.site_revision where revision <> all(:applied)")


def keep(conn: Connection, applied: Iterable[Script]) -> None:
    """Store the applied revisions of the site, and delete those that are no longer applied."""
    if not conn.scalar(_IS_KEPT):  # the revision that creates the table is not applied yet
        return
    of_site = {one.revision: Path(one.path) for one in applied if BRANCH in one.branch_labels}
    for revision, path in of_site.items():
        conn.execute(_KEEP, {"revision": revision, "script": path.read_text(encoding="utf-8")})
    conn.execute(_FORGET, {"applied": list(of_site)})


def kept_statements(applied: Iterable[Script]) -> Iterator[str]:
    """Yield the statements that store the applied revisions of the site, for a script of SQL."""
    for one in applied:
        if BRANCH in one.branch_labels:
            written = Path(one.path).read_text(encoding="utf-8")
            yield (
                "insert into shop_private.site_revision (revision, script) "
                f"values ({sql.Literal(one.revision).as_string(None)}, {sql.Literal(written).as_string(None)}) "
                "on conflict (revision) do update set script = excluded.script"
            )


def restore(conn: Connection, folder: Path) -> list[Path]:
    """Write a file for each stored revision that has no file in the folder. Returns the written files.

    Raises DatabaseError for a stored revision that could run other code than operations, or if a file cannot be
    written.
    """
    if not conn.scalar(_IS_KEPT):
        return []
    written = []
    for revision, script in conn.execute(text("select revision, script from shop_private.site_revision order by 1")):
        path = folder / f"{revision}.py"
        if _NAME.fullmatch(revision) and path.exists():
            continue
        if not _NAME.fullmatch(revision) or not only_operations(script):
            raise DatabaseError(
                f"revision {revision!r} in the database has code besides operations with literal arguments",
                hint=f"Read it in shop_private.site_revision. If you trust it, copy its file to {folder}.",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(script, encoding="utf-8")
        except OSError as error:
            raise DatabaseError(f"revision {revision} cannot be written to {path}: {error.strerror}") from error
        written.append(path)
    return written


def only_operations(script: str) -> bool:
    """Return whether a revision has only literals, and operations whose arguments are literals or texts of SQL."""
    try:
        return all(_is_allowed(statement) for statement in ast.parse(script).body)
    except (SyntaxError, ValueError, RecursionError):
        return False


def _is_allowed(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import(names=[ast.alias(name="sqlalchemy", asname="sa")]):
            return True
        case ast.ImportFrom(module="alembic", names=[ast.alias(name="op", asname=None)], level=0):
            return True
        case ast.Assign(targets=[ast.Name()], value=value) | ast.Expr(value=ast.Constant() as value):
            return _is_literal(value)
        case ast.FunctionDef(name="upgrade" | "downgrade", decorator_list=[], body=body, args=parameters):
            return not any(ast.iter_child_nodes(parameters)) and all(_is_operation(each) for each in body)
    return False


def _is_operation(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="op"))) as call):
            return _takes(call, lambda argument: _is_literal(argument) or _is_sql(argument))
    return False


def _is_sql(node: ast.expr) -> bool:
    """Return whether the node is `sa.text("...")` or `sa.text("...").bindparams(name="...")`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="sa"), attr="text")):
            return _takes(node, _is_literal)
        case ast.Call(func=ast.Attribute(value=inner, attr="bindparams")):
            return _is_sql(inner) and _takes(node, _is_literal)
    return False


def _takes(call: ast.Call, accepts: Callable[[ast.expr], bool]) -> bool:
    return all(map(accepts, [*call.args, *(keyword.value for keyword in call.keywords)]))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError):
        return False
    return True
