"""Defines the operations that add and drop label indexes of a model. Both are reversible.

    op.add_label_indexes("starter", 384, "product_type", ["bags", "shoes"], m=16, ef_construction=64)
    op.drop_label_indexes("starter", 384, "product_type", ["bags", "shoes"], m=16, ef_construction=64)

A label is a value of a field. Its label indexes are HNSW indexes that contain only the products with this value.
Labelled vectors are copies of the vectors of products with a label. The first operation adds the labels. If the model
has no labels yet, the operation also creates the tables of labelled vectors. From then on, encoders and a trigger on
products keep these tables up to date. The operation notes the indexes in `shop.deferred_index`. "windowshop index add"
or "windowshop index build" then copies the vectors that exist already (`db/lifecycle/label_indexes.py`) and builds the
indexes.
"""

import json
from collections.abc import Sequence

from alembic.operations import MigrateOperation, Operations

from migrations.operations.indexes import execute_between_searches, lock_timeout, vector_schema
from migrations.operations.script import is_script, literal, outside_transaction, quoted, run_if_found, run_raw

PARTS = ("image", "title")
RAW = {"no_parameters": True}
# Waits until all statements that may have read the labels before the change have ended. The block does not wait for
# statements that begin later, even if their transaction is older, because each statement reads the labels again.
# PostgreSQL may hide when a statement of another role began. In this case, the block waits until the transaction of
# that statement ends.
WAIT_FOR_USERS = """do $$
declare
    began constant timestamptz := clock_timestamp();
begin
    while exists (
        select from pg_locks l join pg_stat_activity a using (pid)
        where l.database = (select oid from pg_database where datname = current_database())
            and l.relation = to_regclass('shop.label_index') and l.pid <> pg_backend_pid()
            and coalesce(a.state, 'active') = 'active' and coalesce(a.query_start, began) <= began)
    loop
        perform pg_sleep(0.05);
        perform pg_stat_clear_snapshot();
    end loop;
end $$"""

Value = str | int | float | bool


class _LabelIndexes(MigrateOperation):
    def __init__(
        self, model: str, dimension: int, field: str, values: Sequence[Value], m: int, ef_construction: int
    ) -> None:
        self.model, self.dimension, self.field, self.values = model, dimension, field, values
        self.m, self.ef_construction = m, ef_construction

    @property
    def listed(self) -> str:
        """The values as an SQL array of the type jsonb[]."""
        return f"array[{', '.join(literal(json.dumps(value)) for value in self.values)}]::jsonb[]"

    @property
    def label(self) -> str:
        """The SQL condition on l (shop.label_index) and m (shop.model) that finds the labels."""
        return (
            f"m.name = {literal(self.model)} and l.model_id = m.model_id and l.field = {literal(self.field)} "
            f"and l.value = any({self.listed})"
        )


@Operations.register_operation("add_label_indexes")
class AddLabelIndexes(_LabelIndexes):
    @classmethod
    def add_label_indexes(
        cls,
        operations: Operations,
        model: str,
        dimension: int,
        field: str,
        values: Sequence[Value],
        *,
        m: int = 16,
        ef_construction: int = 64,
    ) -> None:
        """Add labels of a model, and note their HNSW indexes as deferred."""
        operations.invoke(cls(model, dimension, field, values, m, ef_construction))

    def reverse(self) -> "DropLabelIndexes":
        return DropLabelIndexes(self.model, self.dimension, self.field, self.values, self.m, self.ef_construction)


@Operations.register_operation("drop_label_indexes")
class DropLabelIndexes(_LabelIndexes):
    @classmethod
    def drop_label_indexes(
        cls,
        operations: Operations,
        model: str,
        dimension: int,
        field: str,
        values: Sequence[Value],
        *,
        m: int = 16,
        ef_construction: int = 64,
    ) -> None:
        """Drop labels of a model with their indexes and vectors. Drops the tables if the model then has no labels."""
        operations.invoke(cls(model, dimension, field, values, m, ef_construction))

    def reverse(self) -> AddLabelIndexes:
        return AddLabelIndexes(self.model, self.dimension, self.field, self.values, self.m, self.ef_construction)


@Operations.implementation_for(AddLabelIndexes)
def _add_label_indexes(operations: Operations, operation: AddLabelIndexes) -> None:
    vector, model = quoted(operations, vector_schema(operations)), literal(operation.model)
    roles = operations.get_context().opts["roles"]
    readers = ", ".join(quoted(operations, roles[role]) for role in ("analyst", "app"))
    for part in PARTS:
        table = quoted(operations, f"{operation.model}_{part}_label")
        key = "product_id, position" if part == "image" else "product_id"
        run_raw(
            operations,
            f"create table if not exists shop.{table} (label_id integer not null, product_id uuid not null, "
            f"{'position smallint not null, ' if part == 'image' else ''}"
            f"embedding {vector}.halfvec({int(operation.dimension)}) not null, primary key (label_id, {key}), "
            f"foreign key ({key}) references shop.{quoted(operations, f'{operation.model}_{part}')} on delete cascade)",
        )
        of_product = quoted(operations, f"{operation.model}_{part}_label_product")
        run_raw(operations, f"create index if not exists {of_product} on shop.{table} ({key})")
        run_raw(
            operations,
            f"comment on table shop.{table} is 'The {part} vectors of products with labels, once for each label.'",
        )
        run_raw(operations, f"grant select on shop.{table} to {readers}")
    run_raw(
        operations,
        f"insert into shop.label_index (model_id, field, value) select m.model_id, {literal(operation.field)}, v.value "
        f"from shop.model m, unnest({operation.listed}) v(value) where m.name = {model} on conflict do nothing",
    )
    run_raw(
        operations,
        "insert into shop.deferred_index (name, table_name, definition) "
        "select format('%s_%s_label_%s', m.name, part, l.label_id), format('%s_%s_label', m.name, part), "
        "format('CREATE INDEX %I ON shop.%I USING hnsw (embedding %I.halfvec_cosine_ops) WITH (m=''%s'', "
        "ef_construction=''%s'') WHERE (label_id = %s)', format('%s_%s_label_%s', m.name, part, l.label_id), "
        f"format('%s_%s_label', m.name, part), {literal(vector_schema(operations))}, {int(operation.m)}, "
        f"{int(operation.ef_construction)}, l.label_id) "
        f"from shop.label_index l, shop.model m, unnest('{{image,title}}'::text[]) part where {operation.label} "
        "and to_regclass(format('shop.%I', format('%s_%s_label_%s', m.name, part, l.label_id))) is null "
        "on conflict do nothing",
    )


@Operations.implementation_for(DropLabelIndexes)
def _drop_label_indexes(operations: Operations, operation: DropLabelIndexes) -> None:
    run_raw(
        operations,
        "delete from shop.deferred_index d using shop.label_index l, shop.model m "
        f"where {operation.label} and d.name in (m.name || '_image_label_' || l.label_id, "
        "m.name || '_title_label_' || l.label_id)",
    )
    run_raw(operations, f"delete from shop.label_index l using shop.model m where {operation.label}")
    _drop_without_label(operations, operation.model)


def _drop_without_label(operations: Operations, model: str) -> None:
    """Commit, then remove what is left of the model's deleted labels. The function can run again after an interruption.

    Waits until no statement uses these labels any more. Then drops their indexes and deletes their vectors. Drops the
    tables if the model has no labels left.
    """
    for part in PARTS:
        name = f"{model}_{part}_label"
        table = f"shop.{quoted(operations, name)}"
        prefix = f"{name}_"
        indexes = (
            "select format('drop index concurrently if exists shop.%I', c.relname) from pg_class c "
            f"where c.oid in (select indexrelid from pg_index where indrelid = to_regclass({literal(table)})) "
            f"and starts_with(c.relname, {literal(prefix)}) and substr(c.relname, {len(prefix) + 1}) ~ '^[0-9]+$' "
            f"and substr(c.relname, {len(prefix) + 1}) not in (select label_id::text from shop.label_index)"
        )
        dropped = (
            f"select 'drop table if exists {table}' where not exists (select from shop.label_index l "
            f"join shop.model m using (model_id) where m.name = {literal(model)})"
        )
        orphans = (
            f"do $$ begin if to_regclass({literal(table)}) is not null then delete from {table} v "
            "where not exists (select from shop.label_index l where l.label_id = v.label_id); end if; end $$"
        )
        if is_script(operations):
            with outside_transaction(operations):
                run_raw(operations, WAIT_FOR_USERS)
                run_if_found(operations, indexes)
                run_if_found(operations, dropped)
                run_raw(operations, orphans)
            continue
        with operations.get_context().autocommit_block():
            run_raw(operations, WAIT_FOR_USERS)
            with lock_timeout(operations, "0"):
                for statement in operations.get_bind().exec_driver_sql(indexes, execution_options=RAW).scalars().all():
                    run_raw(operations, statement)
            for statement in operations.get_bind().exec_driver_sql(dropped, execution_options=RAW).scalars().all():
                execute_between_searches(operations, statement)
            run_raw(operations, orphans)


def drop_all_labels(operations: Operations, model: str, *, waits: bool) -> None:
    """Drop all labels of a model with their tables, before the tables of the model are dropped.

    With `waits`, first wait until no statement uses the labels any more. The wait needs autocommit.
    """
    run_raw(
        operations,
        f"""do $$ begin
    if to_regclass('shop.label_index') is not null then
        delete from shop.deferred_index
        where table_name in ({literal(f"{model}_image_label")}, {literal(f"{model}_title_label")});
        delete from shop.label_index l using shop.model m where m.model_id = l.model_id and m.name = {literal(model)};
    end if;
end $$""",
    )
    if waits:
        run_raw(operations, WAIT_FOR_USERS)
    for part in PARTS:
        run_raw(operations, f"drop table if exists shop.{quoted(operations, f'{model}_{part}_label')}")
