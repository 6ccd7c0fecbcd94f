"""Runs a command's calls of the database in one transaction."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from windowshop.output.terminal import say

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.roles import Role

Result = TypeVar("Result")


def as_app(call: "Callable[[Connection], Result]") -> Result:
    """Runs `call` as the group app and returns its result. Raises SchemaMismatch if the schema does not fit this
    version."""
    from db.roles import Role

    return _run(Role.APP, call)


def as_administrator(call: "Callable[[Connection], Result]") -> Result:
    """Runs `call` as the administrator and returns its result. Raises SchemaMismatch if the schema does not fit this
    version."""
    return _run(None, call)


def _run(role: "Role | None", call: "Callable[[Connection], Result]") -> Result:
    from db import schema
    from db.engine import open_database
    from db.settings import Settings

    with open_database(Settings.read(), on_progress=say) as database, database.connect(role) as conn, conn.begin():
        schema.check(conn)
        return call(conn)
