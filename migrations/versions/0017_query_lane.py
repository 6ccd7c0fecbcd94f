"""Adds the table in which encoders report that they answer queries. An advisory lock would be no proof that an encoder
runs, because every role may take one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "query_lane",
        sa.Column("backend_pid", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("models", ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("backend_pid", name=op.f("query_lane_pkey")),
        schema="shop_private",
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    op.drop_functions("shop_private", "encoder_alive", "query_lane_beat")
    op.drop_table("query_lane", schema="shop_private")
