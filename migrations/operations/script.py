"""Lets operations write a script of SQL (`--sql`) instead of running on a connection.

A script cannot look at rows while it is written. So an operation that depends on rows writes a DO block, or a query
whose result psql runs (`\\gexec`). Both read the rows when the script is run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.operations import Operations
from psycopg import sql


def is_script(operations: Operations | Any) -> bool:
    return bool(operations.get_context().as_sql)


def run_raw(operations: Operations | Any, statement: str) -> None:
    """Run or write a statement in which % and : have no special meaning."""
    context = operations.get_context()
    if context.as_sql:
        context.impl.static_output(f"{statement.strip().removesuffix(';')};\n")
    else:
        operations.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})


def run_if_found(operations: Operations, query: str) -> None:
    """Write a query whose rows are statements that psql then runs, each as a transaction of its own."""
    operations.get_context().impl.static_output(f"{query} \\gexec\n")


def quoted(operations: Operations | Any, name: str) -> str:
    return str(operations.get_context().dialect.identifier_preparer.quote(name))


def literal(value: object) -> str:
    return sql.Literal(value).as_string(None)


@contextmanager
def outside_transaction(operations: Operations) -> Iterator[None]:
    """Write statements that run outside a transaction and may wait for locks without a limit."""
    with operations.get_context().autocommit_block():
        run_raw(operations, "set lock_timeout = 0")
        run_raw(operations, "set statement_timeout = 0")
        yield
        run_raw(operations, "set lock_timeout = '5s'")
