"""Stores the lower bound of the recall with each calibration. A search then knows whether the index reaches the target,
and checks its scans if it does not."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    op.add_column(
        "calibration",
        sa.Column(
            "lowest_recall",
            sa.Double(),
            nullable=True,
            comment="lower 95 % bound of recall; if it is below target_recall, searches without a filter check their scans",
        ),
        schema="shop",
    )
    op.execute("alter type shop_private.search_settings add attribute misses_target boolean")
    op.drop_functions("shop_private", "label_sample")  # now source_sample


def downgrade() -> None:
    op.drop_functions("shop_private", "checked_leg", "source_sample", "comparison_cost")
    op.drop_column("calibration", "lowest_recall", schema="shop")
    op.execute("alter type shop_private.search_settings drop attribute misses_target")
