"""Defines the operation that adds the sale price and its dates, the compare-at price, the stock, the ratings and the
date of publication to shop.product.

    op.add_offer_columns()

The operation also adds product_id to the index on price, because shop.browse orders products with the same price by
product_id. The new columns are null in existing rows, so no row is rewritten and every row meets the constraints. The
operation may end the revision's transaction, and can be run again after an interruption. The operation changes nothing
if the columns and the index exist already.
"""

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text

from migrations.operations.indexes import CreateIndex, DropHnswIndex
from migrations.operations.script import is_script

COLUMNS = {
    "sale_price": "numeric(12, 2)",
    "sale_starts_at": "timestamptz",
    "sale_ends_at": "timestamptz",
    "compare_at_price": "numeric(12, 2)",
    "quantity": "integer",
    "rating": "numeric(3, 2)",
    "review_count": "integer",
    "published_at": "timestamptz",
}
CHECKS = {
    "sale_price": "sale_price >= 0 and sale_price <> 'NaN'",
    "compare_at_price": "compare_at_price >= 0 and compare_at_price <> 'NaN'",
    "rating": "rating between 0 and 5",
    "review_count": "review_count >= 0",
}
INDEX, PRICE_INDEX = "product_sale_price_idx", "product_price_idx"
_DONE = text(
    "select count(*) from pg_constraint where conrelid = 'shop.product'::regclass and conname = any(:names) "
    "and convalidated"
)


@Operations.register_operation("add_offer_columns")
class AddOfferColumns(MigrateOperation):
    @classmethod
    def add_offer_columns(cls, operations: Operations) -> None:
        operations.invoke(cls())

    def reverse(self) -> MigrateOperation:
        raise NotImplementedError("the downgrade of a revision must drop the columns by itself")


@Operations.implementation_for(AddOfferColumns)
def _add_offer_columns(operations: Operations, _: AddOfferColumns) -> None:
    _widen_price_index(operations)
    names = {name: f"product_{name}_check" for name in CHECKS}
    if not is_script(operations):
        done = operations.get_bind().scalar(_DONE, {"names": list(names.values())})
        if done == len(CHECKS):
            return
    columns = [f"add column if not exists {name} {kind}" for name, kind in COLUMNS.items()]
    dropped = [f"drop constraint if exists {name}" for name in names.values()]
    operations.execute(f"alter table shop.product {', '.join([*columns, *dropped])}")
    # NOT VALID adds a constraint without a scan of the table. VALIDATE scans the table while searches and loads
    # continue.
    added = [f"add constraint {names[name]} check ({check}) not valid" for name, check in CHECKS.items()]
    operations.execute(f"alter table shop.product {', '.join(added)}")
    operations.invoke(CreateIndex(INDEX, "product", "(sale_price, product_id) where sale_price is not null"))
    operations.execute(
        f"alter table shop.product {', '.join(f'validate constraint {name}' for name in names.values())}"
    )


def _widen_price_index(operations: Operations) -> None:
    """Build the new index beside the old index, so that searches always have an index."""
    if is_script(operations):
        _replace_price_index(operations)
        return
    bind = operations.get_bind()
    columns = "select indnkeyatts from pg_index where indexrelid = to_regclass(:name)"
    if bind.scalar(text(columns), {"name": f"shop.{PRICE_INDEX}"}) == 2:
        return
    if bind.scalar(text("select 1 from shop.product limit 1")) is None:
        operations.execute(f"drop index if exists shop.{PRICE_INDEX}")
        operations.execute(f"create index {PRICE_INDEX} on shop.product (price, product_id)")
        return
    _replace_price_index(operations)


def _replace_price_index(operations: Operations) -> None:
    operations.invoke(CreateIndex(f"{PRICE_INDEX}_next", "product", "(price, product_id)"))
    operations.invoke(DropHnswIndex(PRICE_INDEX, "product", 0, 0))
    with operations.get_context().autocommit_block():
        operations.execute(f"alter index shop.{PRICE_INDEX}_next rename to {PRICE_INDEX}")
