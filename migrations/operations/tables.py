"""Defines operations for revisions that change a model's embedding tables and its work list. `indexes.py` has the
operations for indexes.

    op.create_embedding_tables("starter", 384)
    op.list_catalog("starter")
    op.retire_model("starter", 384)
    op.restore_model("starter", 384)

All operations are reversible. `list_catalog` and `retire_model` end the revision's transaction, so every statement of
such a revision must be able to run twice. Both operations can run again after an interruption.
"""

from functools import partial

from alembic.operations import MigrateOperation, Operations
from alembic.util import CommandError
from sqlalchemy import text

from db.errors import DatabaseError
from migrations.comments import embedding_comments
from migrations.operations.indexes import execute_between_searches, vector_schema
from migrations.operations.labels import drop_all_labels
from migrations.operations.locking import ACCESS_EXCLUSIVE, SHARE_ROW_EXCLUSIVE, lock_in_order
from migrations.operations.script import is_script, literal, quoted, run_raw

CATALOG = ("shop.product", "shop.product_image")  # the tables that embedding tables reference


@Operations.register_operation("create_embedding_tables")
class CreateEmbeddingTables(MigrateOperation):
    def __init__(self, model: str, dimension: int) -> None:
        self.model, self.dimension = model, dimension

    @classmethod
    def create_embedding_tables(cls, operations: Operations, model: str, dimension: int) -> None:
        """Create `shop.<model>_image` and `shop.<model>_title`, with vectors of `dimension` half-precision numbers."""
        operations.invoke(cls(model, dimension))

    def reverse(self) -> "DropEmbeddingTables":
        return DropEmbeddingTables(self.model, self.dimension)


@Operations.register_operation("drop_embedding_tables")
class DropEmbeddingTables(MigrateOperation):
    def __init__(self, model: str, dimension: int) -> None:
        self.model, self.dimension = model, dimension

    @classmethod
    def drop_embedding_tables(cls, operations: Operations, model: str, dimension: int) -> None:
        """Drop both tables of a model and its row in `shop.model`. A serving model stops serving."""
        operations.invoke(cls(model, dimension))

    def reverse(self) -> CreateEmbeddingTables:
        return CreateEmbeddingTables(self.model, self.dimension)


@Operations.register_operation("list_catalog")
class ListCatalog(MigrateOperation):
    def __init__(self, model: str) -> None:
        self.model = model

    @classmethod
    def list_catalog(cls, operations: Operations, model: str) -> None:
        """Put every title and image without a vector of the model on the model's work list."""
        operations.invoke(cls(model))

    def reverse(self) -> "ListCatalog":
        return self  # nothing is undone: deleting the model deletes its rows of the work list


@Operations.register_operation("retire_model")
class RetireModel(MigrateOperation):
    def __init__(self, model: str, dimension: int) -> None:
        self.model, self.dimension = model, dimension

    @classmethod
    def retire_model(cls, operations: Operations, model: str, dimension: int) -> None:
        """Drop the tables of a model that does not serve; its row in `shop.model` stays, with the status retired."""
        operations.invoke(cls(model, dimension))

    def reverse(self) -> "RestoreModel":
        return RestoreModel(self.model, self.dimension)


@Operations.register_operation("restore_model")
class RestoreModel(MigrateOperation):
    def __init__(self, model: str, dimension: int) -> None:
        self.model, self.dimension = model, dimension

    @classmethod
    def restore_model(cls, operations: Operations, model: str, dimension: int) -> None:
        """Give a retired model empty tables again."""
        operations.invoke(cls(model, dimension))

    def reverse(self) -> RetireModel:
        return RetireModel(self.model, self.dimension)


@Operations.implementation_for(CreateEmbeddingTables)
def _create_embedding_tables(operations: Operations, operation: CreateEmbeddingTables) -> None:
    quote = partial(quoted, operations)
    vector = vector_schema(operations)
    roles = operations.get_context().opts["roles"]
    run_raw(operations, lock_in_order(SHARE_ROW_EXCLUSIVE, CATALOG))  # creating the foreign keys needs these locks
    readers = ", ".join(quote(roles[role]) for role in ("analyst", "app"))
    for part, key, parent in (
        ("image", "product_id, position", "shop.product_image (product_id, position)"),
        ("title", "product_id", "shop.product (product_id)"),
    ):
        table = quote(f"{operation.model}_{part}")
        # A row means that the image or title is encoded. The type of the vector ensures that its numbers are finite.
        # The check ensures that its length is 1, with a tolerance for the errors of half precision.
        operations.execute(
            f"""
            create table shop.{table} (
                product_id uuid not null,
                {"position smallint not null," if part == "image" else ""}
                embedding {quote(vector)}.halfvec({int(operation.dimension)}) not null
                    constraint {quote(f"{operation.model}_{part}_unit_norm_check")}
                    check (abs({quote(vector)}.l2_norm(embedding) - 1) < 0.01),
                source bytea not null,
                encoded_at timestamptz not null default statement_timestamp(),
                primary key ({key}),
                foreign key ({key}) references {parent} on delete cascade
            )"""
        )
        for comment in embedding_comments(operation.model, part):
            run_raw(operations, comment)
        operations.execute(f"grant select on shop.{table} to {readers}")


@Operations.implementation_for(DropEmbeddingTables)
def _drop_embedding_tables(operations: Operations, operation: DropEmbeddingTables) -> None:
    _refuse_script(operations, "drop_embedding_tables")
    quote = partial(quoted, operations)
    bind = operations.get_bind()
    run_raw(operations, lock_in_order(ACCESS_EXCLUSIVE, CATALOG))  # dropping the foreign keys needs these locks
    status = bind.scalar(text("select status from shop.model where name = :name"), {"name": operation.model})
    if status == "serving":
        # Without a serving model, `serve_model` makes the views empty, so that the tables can be dropped.
        bind.execute(text("update shop.model set status = 'retired' where name = :name"), {"name": operation.model})
        bind.execute(text("select shop_private.serve_model()"))
    bind.execute(text("delete from shop.model where name = :name"), {"name": operation.model})
    drop_all_labels(operations, operation.model, waits=False)
    for part in ("title", "image"):
        operations.execute(f"drop table shop.{quote(f'{operation.model}_{part}')}")


@Operations.implementation_for(ListCatalog)
def _list_catalog(operations: Operations, operation: ListCatalog) -> None:
    image, title = quoted(operations, f"{operation.model}_image"), quoted(operations, f"{operation.model}_title")
    model = literal(operation.model)
    with operations.get_context().autocommit_block():
        # Taking the lock waits for writers that began before the model existed and do not enqueue items for it. Later
        # writers enqueue their items themselves.
        run_raw(operations, lock_in_order(SHARE_ROW_EXCLUSIVE, CATALOG))
        run_raw(
            operations,
            "insert into shop_private.work (product_id, model_id, part) "
            f"select p.product_id, m.model_id, 'title' from shop.product p, shop.model m where m.name = {model} "
            f"and not exists (select from shop.{title} v where v.product_id = p.product_id) on conflict do nothing",
        )
        run_raw(
            operations,
            "insert into shop_private.work (product_id, model_id, part, position) "
            "select i.product_id, m.model_id, 'image', i.position from shop.product_image i, shop.model m "
            f"where m.name = {model} and not exists (select from shop.{image} v where v.product_id = i.product_id "
            "and v.position = i.position) on conflict do nothing",
        )


@Operations.implementation_for(RetireModel)
def _retire_model(operations: Operations, operation: RetireModel) -> None:
    quote = partial(quoted, operations)
    if is_script(operations):
        _write_retirement(operations, operation)
        return
    bind, model = operations.get_bind(), {"model": operation.model}
    with operations.get_context().autocommit_block():
        retired = bind.scalar(
            text("update shop.model set status = 'retired' where name = :model and status <> 'serving' returning true"),
            model,
        )
        if not retired:
            raise DatabaseError(
                f"model {operation.model} is serving or does not exist", hint="Promote another model first."
            )
        for table in ("work", "query_embedding"):
            bind.execute(
                text(
                    f"delete from shop_private.{table} t using shop.model m "
                    "where m.model_id = t.model_id and m.name = :model"
                ),
                model,
            )
        drop_all_labels(operations, operation.model, waits=True)
        # Because of the foreign keys, DROP TABLE also locks a table of the catalog, and this lock blocks every search.
        # So each DROP TABLE runs in a transaction of its own, which ends at once.
        for part in ("title", "image"):
            execute_between_searches(operations, f"drop table if exists shop.{quote(f'{operation.model}_{part}')}")


def _write_retirement(operations: Operations, operation: RetireModel) -> None:
    model = literal(operation.model)
    with operations.get_context().autocommit_block():
        run_raw(
            operations,
            f"""do $$ begin
    update shop.model set status = 'retired' where name = {model} and status <> 'serving';
    if not found then raise exception 'model % is serving or does not exist', {model}; end if;
end $$""",
        )
        for table in ("work", "query_embedding"):
            run_raw(
                operations,
                f"delete from shop_private.{table} t using shop.model m "
                f"where m.model_id = t.model_id and m.name = {model}",
            )
        drop_all_labels(operations, operation.model, waits=True)
        for part in ("title", "image"):
            run_raw(operations, f"drop table if exists shop.{quoted(operations, f'{operation.model}_{part}')}")


@Operations.implementation_for(RestoreModel)
def _restore_model(operations: Operations, operation: RestoreModel) -> None:
    operations.invoke(CreateEmbeddingTables(operation.model, operation.dimension))
    run_raw(operations, f"update shop.model set status = 'building' where name = {literal(operation.model)}")


def _refuse_script(operations: Operations, name: str) -> None:
    if is_script(operations):
        raise CommandError(f"--sql cannot write op.{name}: run this revision with windowshop db downgrade")
