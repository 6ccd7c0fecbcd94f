"""Adds a column to the result of a leg, which is a ranking by image, title or keyword. The column says whether only a
part of the matching products was compared."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter type shop_private.leg add attribute partial boolean")


def downgrade() -> None:
    op.drop_functions("shop_private", "compared_leg")
    op.execute("alter type shop_private.leg drop attribute partial")
