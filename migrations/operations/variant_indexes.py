"""Defines the operation that indexes the currency, the group of variants and the beginning of the title of a product.

    op.add_variant_indexes()

The operation may end the revision's transaction, and can be run again after an interruption. It changes nothing if the
indexes exist already.
"""

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text

from migrations.operations.indexes import CreateIndex
from migrations.operations.script import is_script

TITLE_INDEX = "product_title_start_idx"
INDEXES = {
    "product_currency_idx": "(catalog, currency)",
    "product_item_group_id_idx": "(item_group_id) where item_group_id is not null",
    TITLE_INDEX: """(catalog, ("left"(shop_private.fold(title), 60)) collate "C")""",
}
_EXISTS = text("select indisvalid from pg_index where indexrelid = to_regclass(:name)")


@Operations.register_operation("add_variant_indexes")
class AddVariantIndexes(MigrateOperation):
    @classmethod
    def add_variant_indexes(cls, operations: Operations) -> None:
        operations.invoke(cls())

    def reverse(self) -> MigrateOperation:
        raise NotImplementedError("the downgrade of a revision must drop the indexes by itself")


@Operations.implementation_for(AddVariantIndexes)
def _add_variant_indexes(operations: Operations, _: AddVariantIndexes) -> None:
    for name, definition in INDEXES.items():
        if is_script(operations) or not operations.get_bind().scalar(_EXISTS, {"name": f"shop.{name}"}):
            operations.invoke(CreateIndex(name, "product", definition))
