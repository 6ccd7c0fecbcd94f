"""Adds the column `advice` of shop.calibration: a text that names the recalls below the target, and an index that finds
more products."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "calibration",
        sa.Column(
            "advice",
            sa.Text(),
            comment="the recalls below the target, and an index that finds more; null: none is below",
        ),
        schema="shop",
    )


def downgrade() -> None:
    op.drop_column("calibration", "advice", schema="shop")
