"""Creates the history of serving models."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "serving_history",
        sa.Column("serving_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("serving_id", name=op.f("serving_history_pkey")),
        schema="shop",
    )
    op.execute("insert into shop.serving_history (model, revision) select name, revision from shop.model where status = 'serving'")


def downgrade() -> None:
    op.execute("drop view if exists shop.model_coverage")
    op.execute("drop function if exists shop_private.model_coverage, shop_private.model_vector, shop_private.trial_search")
    op.drop_table("serving_history", schema="shop")
