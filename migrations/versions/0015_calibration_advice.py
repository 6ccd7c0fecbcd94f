"""Adds the advice of a calibration: the recalls that missed the target, and a better index."""

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
            comment="what would reach the target recall; null: no measured setting misses the target",
        ),
        schema="shop",
    )


def downgrade() -> None:
    op.drop_column("calibration", "advice", schema="shop")
