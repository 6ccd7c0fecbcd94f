"""Defines the operations that add and drop label indexes of a model. Both are reversible.

    op.add_label_indexes("starter", 384, "product_type", ["bags", "shoes"], m=16, ef_construction=64)
    op.drop_label_indexes("starter", 384, "product_type", ["bags", "shoes"], m=16, ef_construction=64)

A label is a value of a field. The first operation creates the tables of labelled vectors if the model has no labels
yet, and adds the labels. From then on, encoders and changes of products store the vectors of products with these
labels. The indexes are noted in `shop.deferred_index`. "windowshop index add" or "windowshop index build" then copies
the vectors that exist already (`db/lifecycle/label_indexes.py`) and builds the indexes.
"""

import json
from collections.abc import Sequence

from alembic.operations import MigrateOperation, Operations

from migrations.operations.indexes import execute_between_searches, lock_timeout, vector_schema
from migrations.operations.script import is_script, literal, outside_transaction, quoted, run_if_found, run_raw

PARTS = ("image", "title")
RAW = {"no_parameters": True}

Value = str | int | float | bool


class _LabelIndexes(MigrateOperation):
    def __init__(
        self, model: str, dimension: int, field: str, values: Sequence[Value], m: int, ef_construction: int
    ) -> None:
        self.model, self.dimension, self.field, self.values = model, dimension, field, values
        self.m, self.ef_construction = m, ef_construction

    @property
    def listed(self) -> str:
        """The SQL array of the values, as JSON."""
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
            f"create table if not exists shop.{table} (product_id uuid not null, "
            f"{'position smallint not null, ' if part == 'image' else ''}label_id integer not null, "
            f"embedding {vector}.halfvec({int(operation.dimension)}) not null, primary key ({key}, label_id), "
            f"foreign key ({key}) references shop.{quoted(operations, f'{operation.model}_{part}')} on delete cascade)",
        )
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
    indexes = (
        "select format('drop index concurrently if exists shop.%I', "
        "format('%s_%s_label_%s', m.name, part, l.label_id)) "
        f"from shop.label_index l, shop.model m, unnest('{{image,title}}'::text[]) part where {operation.label}"
    )
    if is_script(operations):
        with outside_transaction(operations):
            run_if_found(operations, indexes)
    else:
        with operations.get_context().autocommit_block(), lock_timeout(operations, "0"):
            for statement in operations.get_bind().exec_driver_sql(indexes, execution_options=RAW).scalars().all():
                run_raw(operations, statement)
    run_raw(
        operations,
        "delete from shop.deferred_index d using shop.label_index l, shop.model m "
        f"where {operation.label} and d.name in (m.name || '_image_label_' || l.label_id, "
        "m.name || '_title_label_' || l.label_id)",
    )
    for part in PARTS:
        table = quoted(operations, f"{operation.model}_{part}_label")
        run_raw(
            operations,
            f"do $$ begin if to_regclass({literal(f'shop.{table}')}) is not null then delete from shop.{table} v "
            f"using shop.label_index l, shop.model m where v.label_id = l.label_id and {operation.label}; "
            "end if; end $$",
        )
    run_raw(operations, f"delete from shop.label_index l using shop.model m where {operation.label}")
    drop_empty(operations, operation.model)


def drop_empty(operations: Operations, model: str) -> None:
    """Drop the tables of labelled vectors of a model without labels. The drop waits for running searches."""
    left = (
        f"select 1 from shop.label_index l join shop.model m using (model_id) where m.name = {literal(model)} limit 1"
    )
    for part in PARTS:
        table = f"shop.{quoted(operations, f'{model}_{part}_label')}"
        if is_script(operations):
            run_if_found(operations, f"select 'drop table if exists {table}' where not exists ({left})")
            continue
        with operations.get_context().autocommit_block():
            if operations.get_bind().exec_driver_sql(left, execution_options=RAW).scalar() is None:
                execute_between_searches(operations, f"drop table if exists {table}")


def drop_all_labels(operations: Operations, model: str) -> None:
    """Drop all labels of a model with their tables, before the tables of the model are dropped."""
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
    for part in PARTS:
        run_raw(operations, f"drop table if exists shop.{quoted(operations, f'{model}_{part}_label')}")
