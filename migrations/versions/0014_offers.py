"""Adds the sale price and its dates, the compare-at price, the stock, the ratings and the date of publication."""

from alembic import op

from migrations.operations.offers import COLUMNS, INDEX, PRICE_INDEX

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Revision 0010 adds these columns too. The call is for databases that ran an earlier version of revision 0010.
    op.add_offer_columns()


def downgrade() -> None:
    # The code of the earlier revision creates the views again, without these columns.
    op.execute("drop view shop.searchable_image, shop.searchable")
    op.execute(f"delete from shop.deferred_index where name in ('{INDEX}', '{PRICE_INDEX}')")
    for name in COLUMNS:
        op.drop_column("product", name, schema="shop")
    op.execute(f"drop index if exists shop.{PRICE_INDEX}")  # a load may have deferred the index
    op.create_index(PRICE_INDEX, "product", ["price"], schema="shop")
