"""Defines operations for revisions that create, drop and rebuild indexes while searches and loads continue.

    op.create_index_concurrently("product_brand_key_idx", "product", "(shop_private.identifier_key(brand), catalog)")
    op.create_hnsw_index("starter_image_hnsw", "starter_image", m=16, ef_construction=64)
    op.rebuild_hnsw_index("starter_image_hnsw", "starter_image", m=32, ef_construction=128, was=(16, 64))
    op.rebuild_hnsw_index("starter_image_hnsw", "starter_image", m=16, ef_construction=64, was=(16, 64), bits=384)

An operation may end the revision's transaction, and can be run again after an interruption. So such operations stand in
a revision of their own, or before all statements that cannot run twice. Indexes are built CONCURRENTLY. Only for an
empty table, create_index_concurrently uses a plain CREATE INDEX. If an interrupted build has left an INVALID index,
this index is dropped first. The operations on HNSW indexes can be reversed.

An index over bits stores only the sign of each number of a vector. It is an IVFFlat index, without m and
ef_construction. The number of rows at the time of the build decides the number of its lists. If the table then has
fewer than LISTED_ROWS rows, an HNSW index over the bits is built instead, because lists that were computed from so few
rows would not suit later rows.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.errors import DatabaseError
from db.lifecycle.deferred_indexes import raise_memory
from db.lifecycle.sizing import LISTED_ROWS, MOST_LISTS
from migrations.operations.script import (
    is_script,
    literal,
    outside_transaction,
    quoted,
    run_if_found,
    run_raw,
)

LOCK_SECONDS = 30.0  # time limit of the attempts to drop a table


@Operations.register_operation("create_index_concurrently")
class CreateIndex(MigrateOperation):
    def __init__(self, name: str, table: str, definition: str) -> None:
        self.name, self.table, self.definition = name, table, definition

    @classmethod
    def create_index_concurrently(cls, operations: Operations, name: str, table: str, definition: str) -> None:
        """Create an index on `shop.<table>`. `definition` is the part of CREATE INDEX after the table's name.

        An empty table is indexed inside the revision's transaction. This build takes almost no time, so the table is
        not locked for long.
        """
        operations.invoke(cls(name, table, definition))

    def reverse(self) -> MigrateOperation:
        raise NotImplementedError("the downgrade of a revision must drop such an index by itself")


@Operations.register_operation("create_hnsw_index")
class CreateHnswIndex(MigrateOperation):
    def __init__(self, name: str, table: str, m: int, ef_construction: int, bits: int | None = None) -> None:
        self.name, self.table, self.m, self.ef_construction, self.bits = name, table, m, ef_construction, bits

    @classmethod
    def create_hnsw_index(
        cls,
        operations: Operations,
        name: str,
        table: str,
        *,
        m: int = 16,
        ef_construction: int = 64,
        bits: int | None = None,
    ) -> None:
        """Index the embeddings of `shop.<table>` for cosine distance, or their bits for Hamming distance."""
        operations.invoke(cls(name, table, m, ef_construction, bits))

    def reverse(self) -> "DropHnswIndex":
        return DropHnswIndex(self.name, self.table, self.m, self.ef_construction, self.bits)


@Operations.register_operation("drop_hnsw_index")
class DropHnswIndex(MigrateOperation):
    def __init__(self, name: str, table: str, m: int, ef_construction: int, bits: int | None = None) -> None:
        self.name, self.table, self.m, self.ef_construction, self.bits = name, table, m, ef_construction, bits

    @classmethod
    def drop_hnsw_index(
        cls,
        operations: Operations,
        name: str,
        table: str,
        *,
        m: int = 16,
        ef_construction: int = 64,
        bits: int | None = None,
    ) -> None:
        operations.invoke(cls(name, table, m, ef_construction, bits))

    def reverse(self) -> CreateHnswIndex:
        return CreateHnswIndex(self.name, self.table, self.m, self.ef_construction, self.bits)


@Operations.register_operation("rebuild_hnsw_index")
class RebuildHnswIndex(MigrateOperation):
    def __init__(
        self, name: str, table: str, parameters: tuple[int, int, int | None], was: tuple[int, int, int | None]
    ) -> None:
        self.name, self.table, self.parameters, self.was = name, table, parameters, was

    @classmethod
    def rebuild_hnsw_index(
        cls,
        operations: Operations,
        name: str,
        table: str,
        *,
        m: int,
        ef_construction: int,
        was: tuple[int, int],
        bits: int | None = None,
        was_bits: int | None = None,
    ) -> None:
        """Build a new index beside the old index, then drop the old index. `was` has the m and ef_construction of the
        old index, and `was_bits` its bits."""
        operations.invoke(cls(name, table, (m, ef_construction, bits), (*was, was_bits)))

    def reverse(self) -> "RebuildHnswIndex":
        return RebuildHnswIndex(self.name, self.table, self.was, self.parameters)


@Operations.implementation_for(CreateIndex)
def _create_index(operations: Operations, operation: CreateIndex) -> None:
    if is_script(operations):
        _create_concurrently(operations, operation.name, operation.table, operation.definition)
        return
    bind = operations.get_bind()
    name, table = quoted(operations, operation.name), quoted(operations, operation.table)
    if bind.scalar(text(f"select 1 from shop.{table} limit 1")) is None:
        operations.execute(f"create index if not exists {name} on shop.{table} {operation.definition}")
    else:
        _create_concurrently(operations, operation.name, operation.table, operation.definition)


@Operations.implementation_for(CreateHnswIndex)
def _create_hnsw_index(operations: Operations, operation: CreateHnswIndex) -> None:
    vector = quoted(operations, vector_schema(operations))
    graph = f"with (m = {int(operation.m)}, ef_construction = {int(operation.ef_construction)})"
    if operation.bits is None:
        key = f"(embedding {vector}.halfvec_cosine_ops)"
        _create_concurrently(operations, operation.name, operation.table, f"using hnsw {key} {graph}")
        return
    # Searches read the embedding through views that cast it. PostgreSQL uses the index only if the indexed expression
    # is equal to the expression in the search, so the index casts the embedding too.
    code = f"{vector}.binary_quantize(embedding::{vector}.halfvec)::bit({int(operation.bits)})"
    key = f"(({code}) {vector}.bit_hamming_ops)"
    _create_concurrently(
        operations, operation.name, operation.table, f"using hnsw {key} {graph}", f"using ivfflat {key} with (lists = "
    )


def _create_concurrently(
    operations: Operations, index: str, table: str, definition: str, listed: str | None = None
) -> None:
    """Create an index. If `listed` is given and the table has LISTED_ROWS rows or more, `listed` and the number of
    lists take the place of `definition`."""
    name = quoted(operations, index)
    create = f"create index concurrently if not exists {name} on shop.{quoted(operations, table)} "
    choice = (
        f"select {literal(create)} || case when n < {LISTED_ROWS} then {literal(definition)} "
        f"else {literal(listed)} || least({MOST_LISTS}, round(sqrt(n))) || ')' end "
        f"from (select count(*) as n from shop.{quoted(operations, table)}) c"
    )
    if is_script(operations):
        with outside_transaction(operations):
            run_if_found(
                operations,
                f"select 'drop index concurrently shop.{name}' from pg_index "
                f"where indexrelid = to_regclass('shop.{name}') and not indisvalid",
            )
            if listed is None:
                run_raw(operations, create + definition)
            else:
                run_if_found(operations, choice)
            _not_deferred(operations, index)
        return
    bind = operations.get_bind()
    # There is no lock timeout, because a timeout during a concurrent build would leave an INVALID index behind.
    with operations.get_context().autocommit_block(), lock_timeout(operations, "0"):
        operations.execute("set statement_timeout = 0")
        valid = bind.scalar(
            text("select indisvalid from pg_index where indexrelid = to_regclass(:name)"), {"name": f"shop.{name}"}
        )
        if valid is False:
            operations.execute(f"drop index concurrently shop.{name}")
        if _knows_deferred(operations):
            raise_memory(bind, table)
        if listed is not None:
            create, definition = str(bind.scalar(text(choice))), ""
        operations.execute(create + definition)
        _not_deferred(operations, index)


@Operations.implementation_for(DropHnswIndex)
def _drop_hnsw_index(operations: Operations, operation: DropHnswIndex) -> None:
    name = quoted(operations, operation.name)
    if is_script(operations):
        with outside_transaction(operations):
            run_raw(operations, f"drop index concurrently if exists shop.{name}")
            _not_deferred(operations, operation.name)
        return
    with operations.get_context().autocommit_block(), lock_timeout(operations, "0"):
        operations.execute(f"drop index concurrently if exists shop.{name}")
        _not_deferred(operations, operation.name)


@Operations.implementation_for(RebuildHnswIndex)
def _rebuild_hnsw_index(operations: Operations, operation: RebuildHnswIndex) -> None:
    """Build the new index before the old index is dropped. Searches use any valid index, so they always have an
    index."""
    old, new = operation.name, f"{operation.name}_next"
    old_name, new_name = quoted(operations, old), quoted(operations, new)
    create = CreateHnswIndex(new, operation.table, *operation.parameters)
    wanted = [f"m={create.m} ef_construction={create.ef_construction} bits={create.bits or ''}"]
    if create.bits is not None:
        wanted.append(f"lists bits={create.bits}")
    if is_script(operations):
        with operations.get_context().autocommit_block():
            run_if_found(
                operations,
                f"select 'drop index concurrently shop.{new_name}' {_PARAMETERS_OF.format(name=new_name)} "
                f"and {_PARAMETERS} not in ({', '.join(map(literal, wanted))})",
            )
    else:
        with operations.get_context().autocommit_block():
            parameters = operations.get_bind().scalar(
                text(f"select {_PARAMETERS} {_PARAMETERS_OF.format(name=new_name)}")
            )
        if parameters not in (None, *wanted):  # an interrupted rebuild with other parameters left this index
            operations.invoke(DropHnswIndex(new, operation.table, 16, 64))
    operations.invoke(create)
    operations.invoke(DropHnswIndex(old, operation.table, *operation.was))
    with operations.get_context().autocommit_block():
        operations.execute(f"alter index shop.{new_name} rename to {old_name}")


_PARAMETERS = (
    "concat(regexp_replace(array_to_string(c.reloptions, ' '), '^lists=.*', 'lists'), ' bits=', "
    "case when a.atttypid = 'bit'::regtype then a.atttypmod end)"
)
_PARAMETERS_OF = (
    "from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum = 1 "
    "where c.oid = to_regclass('shop.{name}')"
)


@contextmanager
def lock_timeout(operations: Operations, limit: str) -> Iterator[None]:
    """Set lock_timeout for the session, and set the earlier value at the end of the context.

    In autocommit, SET LOCAL would have no effect on the next statement.
    """
    bind = operations.get_bind()
    before = str(bind.scalar(text("select current_setting('lock_timeout')")))
    operations.execute(f"set lock_timeout = '{limit}'")
    try:
        yield
    finally:
        operations.execute(f"set lock_timeout = '{before}'")


def execute_between_searches(operations: Operations, statement: str) -> None:
    """Run, in autocommit, a statement that must wait for running searches.

    Each attempt waits only half a second, because later searches queue behind a waiting statement.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    with lock_timeout(operations, "500ms"):
        while True:
            try:
                operations.execute(statement)
                return
            except (DatabaseError, DBAPIError) as error:
                state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
                if state != "55P03" or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def _knows_deferred(operations: Operations) -> bool:
    """Return whether the table shop.deferred_index exists. A site's revisions may run before the table is created."""
    return operations.get_bind().scalar(text("select to_regclass('shop.deferred_index')")) is not None


def _not_deferred(operations: Operations, name: str) -> None:
    """Delete the index from shop.deferred_index, because the index was built or dropped."""
    if is_script(operations):
        run_raw(
            operations,
            "do $$ begin if to_regclass('shop.deferred_index') is not null then "
            f"delete from shop.deferred_index where name = {literal(name)}; end if; end $$",
        )
    elif _knows_deferred(operations):
        operations.get_bind().execute(text("delete from shop.deferred_index where name = :name"), {"name": name})


def vector_schema(operations: Operations) -> str:
    return str(operations.get_context().opts["schemas"]["vector"])
