"""Operations of our own for revisions: a model's embedding tables, and HNSW indexes under live traffic.

    op.create_embedding_tables("starter", 384)
    op.create_hnsw_index("starter_image_hnsw", "starter_image", m=16, ef_construction=64)
    op.list_catalog("starter")

All are reversible. The last two end the revision's transaction and can be run again after an interruption, so they
stand in a revision of their own. An index is built CONCURRENTLY; one that an interrupted build left INVALID is dropped
and built again.
"""

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text


@Operations.register_operation("create_embedding_tables")
class CreateEmbeddingTables(MigrateOperation):
    def __init__(self, model: str, dimension: int) -> None:
        self.model, self.dimension = model, dimension

    @classmethod
    def create_embedding_tables(cls, operations: Operations, model: str, dimension: int) -> None:
        """Make `shop.<model>_image` and `shop.<model>_title`, of `dimension` half-precision components a vector."""
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


@Operations.register_operation("create_hnsw_index")
class CreateHnswIndex(MigrateOperation):
    def __init__(self, name: str, table: str, m: int, ef_construction: int) -> None:
        self.name, self.table, self.m, self.ef_construction = name, table, m, ef_construction

    @classmethod
    def create_hnsw_index(
        cls, operations: Operations, name: str, table: str, *, m: int = 16, ef_construction: int = 64
    ) -> None:
        """Index the embeddings of `shop.<table>` for cosine distance."""
        operations.invoke(cls(name, table, m, ef_construction))

    def reverse(self) -> "DropHnswIndex":
        return DropHnswIndex(self.name, self.table, self.m, self.ef_construction)


@Operations.register_operation("drop_hnsw_index")
class DropHnswIndex(MigrateOperation):
    def __init__(self, name: str, table: str, m: int, ef_construction: int) -> None:
        self.name, self.table, self.m, self.ef_construction = name, table, m, ef_construction

    @classmethod
    def drop_hnsw_index(
        cls, operations: Operations, name: str, table: str, *, m: int = 16, ef_construction: int = 64
    ) -> None:
        operations.invoke(cls(name, table, m, ef_construction))

    def reverse(self) -> CreateHnswIndex:
        return CreateHnswIndex(self.name, self.table, self.m, self.ef_construction)


@Operations.register_operation("list_catalog")
class ListCatalog(MigrateOperation):
    def __init__(self, model: str) -> None:
        self.model = model

    @classmethod
    def list_catalog(cls, operations: Operations, model: str) -> None:
        """Put every title and picture the model has no vector of on its work list."""
        operations.invoke(cls(model))

    def reverse(self) -> "ListCatalog":
        return self  # rows of the work list go with the model


@Operations.implementation_for(CreateEmbeddingTables)
def _create_embedding_tables(operations: Operations, operation: CreateEmbeddingTables) -> None:
    quote = operations.get_bind().dialect.identifier_preparer.quote
    vector = _vector_schema(operations)
    roles = operations.get_context().opts["roles"]
    readers = ", ".join(quote(roles[role]) for role in ("analyst", "app"))
    for part, key, parent in (
        ("image", "product_id, position", "shop.product_image (product_id, position)"),
        ("title", "product_id", "shop.product (product_id)"),
    ):
        table = quote(f"{operation.model}_{part}")
        # A row here is what "done" means: finite (the type holds that), of unit length, of this model. The tolerance
        # is that of half precision.
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
        operations.execute(f"comment on column shop.{table}.source is 'sha256 of the encoded {part}'")
        operations.execute(f"grant select on shop.{table} to {readers}")


@Operations.implementation_for(DropEmbeddingTables)
def _drop_embedding_tables(operations: Operations, operation: DropEmbeddingTables) -> None:
    quote = operations.get_bind().dialect.identifier_preparer.quote
    bind = operations.get_bind()
    status = bind.scalar(text("select status from shop.model where name = :name"), {"name": operation.model})
    if status == "serving":
        # The views are emptied in the same transaction.
        bind.execute(text("update shop.model set status = 'retired' where name = :name"), {"name": operation.model})
        bind.execute(text("select shop_private.serve_model()"))
    bind.execute(text("delete from shop.model where name = :name"), {"name": operation.model})
    for part in ("title", "image"):
        operations.execute(f"drop table shop.{quote(f'{operation.model}_{part}')}")


@Operations.implementation_for(CreateHnswIndex)
def _create_hnsw_index(operations: Operations, operation: CreateHnswIndex) -> None:
    bind = operations.get_bind()
    quote = bind.dialect.identifier_preparer.quote
    name, vector = quote(operation.name), quote(_vector_schema(operations))
    with operations.get_context().autocommit_block():
        # A lock timeout in the middle of a concurrent build leaves an INVALID index behind.
        operations.execute("set lock_timeout = 0")
        operations.execute("set statement_timeout = 0")
        valid = bind.scalar(
            text("select indisvalid from pg_index where indexrelid = to_regclass(:name)"), {"name": f"shop.{name}"}
        )
        if valid is False:
            operations.execute(f"drop index concurrently shop.{name}")
        operations.execute(
            f"create index concurrently if not exists {name} on shop.{quote(operation.table)} "
            f"using hnsw (embedding {vector}.halfvec_cosine_ops) "
            f"with (m = {int(operation.m)}, ef_construction = {int(operation.ef_construction)})"
        )


@Operations.implementation_for(DropHnswIndex)
def _drop_hnsw_index(operations: Operations, operation: DropHnswIndex) -> None:
    name = operations.get_bind().dialect.identifier_preparer.quote(operation.name)
    with operations.get_context().autocommit_block():
        operations.execute("set lock_timeout = 0")
        operations.execute(f"drop index concurrently if exists shop.{name}")


@Operations.implementation_for(ListCatalog)
def _list_catalog(operations: Operations, operation: ListCatalog) -> None:
    quote = operations.get_bind().dialect.identifier_preparer.quote
    image, title = quote(f"{operation.model}_image"), quote(f"{operation.model}_title")
    bind, model = operations.get_bind(), {"model": operation.model}
    with operations.get_context().autocommit_block():
        # A barrier: writers who began before the model was known end here, later ones list their rows themselves.
        operations.execute(
            "do $$ begin lock table shop.product, shop.product_image in share row exclusive mode; end $$"
        )
        bind.execute(
            text(
                "insert into shop_private.work (product_id, model_id, part) "
                "select p.product_id, m.model_id, 'title' from shop.product p, shop.model m where m.name = :model "
                f"and not exists (select from shop.{title} v where v.product_id = p.product_id) on conflict do nothing"
            ),
            model,
        )
        bind.execute(
            text(
                "insert into shop_private.work (product_id, model_id, part, position) "
                "select i.product_id, m.model_id, 'image', i.position from shop.product_image i, shop.model m "
                f"where m.name = :model and not exists (select from shop.{image} v where v.product_id = i.product_id "
                "and v.position = i.position) on conflict do nothing"
            ),
            model,
        )


def _vector_schema(operations: Operations) -> str:
    return str(operations.get_context().opts["schemas"]["vector"])
