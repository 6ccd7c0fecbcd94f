"""Adds the option change and its result to the types of a search. A change is a text such as "but red", by which the
products near an image are ranked."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
serves = "0023"

# The products near the image, ranked by the change. `ms` is the time of this ranking in milliseconds. It is null if the
# search has no change.
CHANGE = "create type shop_private.search_change as (ranked shop_private.fused_product[], ms double precision)"


def upgrade() -> None:
    op.execute(CHANGE)
    op.execute("alter type shop_private.search_request add attribute change text")
    op.execute("alter type shop_private.search_run add attribute change shop_private.search_change")


def downgrade() -> None:
    op.drop_functions("shop_private", "rank_by_change", "changed_products", "explain_change")
    op.execute("alter type shop_private.search_run drop attribute change")
    op.execute("alter type shop_private.search_request drop attribute change")
    op.execute("drop type shop_private.search_change")
