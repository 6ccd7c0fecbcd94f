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
from alembic.util import CommandError, to_tuple
from sqlalchemy import Connection, Table, Text

import migrations.operations.functions
import migrations.operations.keywords
import migrations.operations.labels
import migrations.operations.offers
import migrations.operations.product_checks
import migrations.operations.tables
import migrations.operations.variant_indexes  # noqa: F401  these imports register operations such as op.drop_functions
from db.errors import WindowshopError
from db.roles import Roles
from db.settings import Settings
from db.tables import PRIVATE, SHOP, metadata
from migrations import upgrade_script
from migrations.function_files import apply_functions, read_files
from migrations.function_script import function_statements
from migrations.site_revisions import keep, kept_statements
from migrations.upgrade import plain

MOVING = ("upgrade", "downgrade", "stamp")


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Return whether autogenerate compares the object with this name.

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
    return _are_heads(context.get_context().get_current_heads())


def _are_heads(revisions: tuple[str, ...]) -> bool:
    # A model's revision depends on a project revision and replaces it in the version table.
    script: ScriptDirectory = context.script
    return {revision.revision for revision in script.get_all_current(revisions)} == set(script.get_heads())


class WideVersions(PostgresqlImpl):
    """Widens the column of the version table, because Alembic's 32 characters are too few for the name of a revision
    that contains the name of a model."""

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


def write_script() -> None:
    """Write an upgrade as SQL (`--sql`). Needs no database."""
    if not _is_upgrade():
        raise CommandError("--sql writes upgrades only")
    try:
        settings = context.config.attributes.get("settings") or Settings.read()
        end = upgrade_script.tail(Roles(settings.role_prefix), settings)
    except WindowshopError as error:
        raise CommandError(error.message) from error
    roles = Roles(settings.role_prefix)

    def keep_site_revisions(ctx: Any, step: object, heads: Collection[str], run_args: object) -> None:
        for statement in kept_statements(context.script.iterate_revisions(tuple(heads), "base")):
            ctx.impl.static_output(f"{statement};")

    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},  # with another style, % would be written twice
        literal_binds=True,
        target_metadata=metadata,
        version_table_schema=PRIVATE,
        roles=roles.by_word(),
        schemas=upgrade_script.SCHEMAS,
        on_version_apply=keep_site_revisions,
        **options(),
    )
    migration = context.get_context()
    target = context.get_revision_argument() if not options() else None
    reaches_heads = target is None or _are_heads(to_tuple(target))
    write = migration.impl.static_output
    write(upgrade_script.head(roles, migration.get_current_heads()))
    with context.begin_transaction():
        context.run_migrations()
        if reaches_heads:
            for statement in function_statements(roles, upgrade_script.SCHEMAS):
                write(f"{statement};\n")
    write(end if reaches_heads else "reset role;")


def _is_upgrade() -> bool:
    asked = getattr(context.config.cmd_opts, "cmd", None)  # None for a caller of alembic's Python API
    return asked is None or asked[0].__name__ == "upgrade"


if context.is_offline_mode():
    write_script()
elif "connection" in context.config.attributes:
    run(context.config.attributes)
else:
    run_plain()
