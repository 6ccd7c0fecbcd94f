"""Adds the option image_box to the type of a search: the region of the query image with which products are compared."""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    op.execute("alter type shop_private.search_request add attribute image_box double precision[]")


def downgrade() -> None:
    op.drop_functions("shop", "clip_image")  # the earlier function has one argument less
    op.execute("alter type shop_private.search_request drop attribute image_box")
