"""Defines an operation that drops functions, so that a revision can then change a type or a table that they use.

    op.drop_functions("shop_private", "hnsw_leg", "search_leg")

At the end of an upgrade, every function with a file in `db/functions` is created again. A change of a function's
arguments, or the deletion of its file, needs no revision: see `function_files.py`.
"""

from collections.abc import Sequence

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import Connection, text

from migrations.operations.script import literal, run_raw


@Operations.register_operation("drop_functions")
class DropFunctions(MigrateOperation):
    def __init__(self, schema: str, names: tuple[str, ...]) -> None:
        self.schema, self.names = schema, names

    @classmethod
    def drop_functions(cls, operations: Operations, schema: str, *names: str) -> None:
        """Drop all functions and procedures of these names, with any arguments.

        A name without a function is skipped. Like DROP FUNCTION, the operation fails if another object depends on a
        dropped function.
        """
        operations.invoke(cls(schema, names))

    def reverse(self) -> "DropFunctions":
        return self  # the code of the earlier revision creates its functions from its own files


@Operations.implementation_for(DropFunctions)
def _drop_functions(operations: Operations, operation: DropFunctions) -> None:
    names = ", ".join(map(literal, operation.names))
    run_raw(
        operations,
        f"""
        do $$ declare found text; begin
            select string_agg(oid::regprocedure::text, ', ') into found from pg_proc
            where pronamespace = to_regnamespace({literal(operation.schema)}) and proname in ({names});
            if found is not null then execute 'drop routine ' || found; end if;
        end $$""",
    )


def drop_routines(conn: Connection, oids: Sequence[int]) -> None:
    """Drop functions and procedures. One statement drops all of them, because they may depend on each other."""
    named = conn.scalar(
        text("select string_agg(oid::regprocedure::text, ', ') from pg_proc where oid = any(:oids)"),
        {"oids": list(oids)},
    )
    if named:
        conn.exec_driver_sql(f"drop routine {named}", execution_options={"no_parameters": True})
