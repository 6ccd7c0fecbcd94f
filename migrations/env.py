"""Alembic's entry point. Revisions run as the owner role on the connection that `migrations/upgrade.py` passes. When a
command has moved the schema to its heads, the SQL functions are applied in the same transaction."""

from collections.abc import Callable
from typing import Any

from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, Text

import migrations.operations.functions
import migrations.operations.keywords
import migrations.operations.offers
import migrations.operations.product_checks
import migrations.operations.tables  # noqa: F401  these imports register operations such as op.create_embedding_tables
from db.tables import PRIVATE, SHOP, metadata
from migrations.function_files import apply_functions, read_files

connection: Connection = context.config.attributes["connection"]
roles: dict[str, str] = context.config.attributes["roles"]
schemas: dict[str, str] = context.config.attributes["schemas"]
progress: Callable[[str], None] | None = context.config.attributes.get("progress")


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Return whether autogenerate compares a name.

    Autogenerate compares only our two schemas, and in them the tables of `db/tables/`. Embedding tables and
    their HNSW indexes come from our own operations, because autogenerate would lose the operator class.
    """
    if kind == "schema":
        return name in (SHOP, PRIVATE)
    if kind == "table":
        return f"{parents['schema_name']}.{name}" in metadata.tables
    return True


def moved_to_heads() -> bool:
    try:
        context.get_revision_argument()
    except KeyError:  # a command such as `check`, which does not move the schema
        return False
    script: ScriptDirectory = context.script
    # A model's revision depends on a project revision and replaces it in the version table.
    reached = script.get_all_current(context.get_context().get_current_heads())
    return {revision.revision for revision in reached} == set(script.get_heads())


class WideVersions(PostgresqlImpl):
    """Widens the version table: Alembic's 32 characters are too few for a revision that names a model."""

    __dialect__ = "postgresql"

    def version_table_impl(self, **fields: Any) -> Table:
        table = super().version_table_impl(**fields)
        table.c.version_num.type = Text()
        return table


context.configure(
    connection=connection,
    target_metadata=metadata,
    include_schemas=True,
    include_name=include_name,
    version_table_schema=PRIVATE,
    roles=roles,
    schemas=schemas,
    progress=progress,
)
with context.begin_transaction():
    context.run_migrations()
    if moved_to_heads():
        apply_functions(connection, read_files(connection, roles, schemas))
