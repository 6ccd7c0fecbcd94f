"""Adds the advice of a calibration, which says what would reach a target recall that was missed."""

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
