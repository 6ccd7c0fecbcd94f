"""Alembic's entry point. Revisions run as the owner role on the connection that `migrations/upgrade.py` passes. When a
command has moved the schema to its heads, the SQL functions are applied in the same transaction.

A plain alembic command passes no connection. This module then opens the database that the settings name, and does what
`windowshop db upgrade` does before and after the revisions.
"""

import sys
from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Table, Text

import migrations.operations.functions
import migrations.operations.keywords
import migrations.operations.offers
import migrations.operations.product_checks
import migrations.operations.tables  # noqa: F401  these imports register operations such as op.create_embedding_tables
from db.errors import WindowshopError
from db.tables import PRIVATE, SHOP, metadata
from migrations.function_files import apply_functions, read_files
from migrations.site_revisions import keep
from migrations.upgrade import plain

MOVING = ("upgrade", "downgrade", "stamp")


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


def options() -> dict[str, Any]:
    """Return the option that makes `alembic upgrade head` move to all heads. In a site with models, "head" would
    otherwise be ambiguous, because the revisions of the site are a second head."""
    try:
        context.get_revision_argument()
    except KeyError:  # a command such as `check`, which does not move the schema
        return {}
    except CommandError:
        if getattr(context.config.cmd_opts, "revision", None) == "head":
            return {"fn": lambda current, _: context.script._upgrade_revs("heads", current)}
    return {}


def moves_to_heads() -> bool:
    """Return whether the command has moved the schema to its heads."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    except CommandError:  # "head", which is ambiguous
        pass
    # A model's revision depends on a project revision and replaces it in the version table.
    script: ScriptDirectory = context.script
    reached = script.get_all_current(context.get_context().get_current_heads())
    return {revision.revision for revision in reached} == set(script.get_heads())


class WideVersions(PostgresqlImpl):
    """Widens the version table: Alembic's 32 characters are too few for a revision that names a model."""

    __dialect__ = "postgresql"

    def version_table_impl(self, **fields: Any) -> Table:
        table = super().version_table_impl(**fields)
        table.c.version_num.type = Text()
        return table


def run(attributes: Mapping[str, Any]) -> None:
    """Run the command on the connection of `attributes`."""
    connection: Connection = attributes["connection"]
    roles, schemas = attributes["roles"], attributes["schemas"]

    def keep_site_revisions(ctx: object, step: object, heads: Collection[str], run_args: object) -> None:
        """Store the revisions of the site, in the transaction of the revision that was just applied or reverted."""
        keep(connection, context.script.iterate_revisions(tuple(heads), "base") if heads else ())

    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=include_name,
        version_table_schema=PRIVATE,
        roles=roles,
        schemas=schemas,
        progress=attributes.get("progress"),
        on_version_apply=keep_site_revisions,
        **options(),
    )
    with context.begin_transaction():
        context.run_migrations()
        if moves_to_heads():
            apply_functions(connection, read_files(connection, roles, schemas))


def run_plain() -> None:
    """Run a plain alembic command. Raises CommandError, which alembic prints as one line."""
    asked = getattr(context.config.cmd_opts, "cmd", None)  # None for a caller of alembic's Python API

    def say(message: str) -> None:
        sys.stderr.write(f"{message}\n")

    try:
        with plain(say, moves=asked is None or asked[0].__name__ in MOVING) as (attributes, finish):
            run(attributes)
            if moves_to_heads():
                finish()
    except WindowshopError as error:
        raise CommandError(f"{error.message}. {error.hint or ''}".rstrip()) from error


if context.is_offline_mode():
    raise CommandError("--sql is not supported: operations of this project look at the database")
if "connection" in context.config.attributes:
    run(context.config.attributes)
else:
    run_plain()
