"""Adds a table for the notes (products to report) that wait because a webhook is busy. Also adds an index that finds
the events of a catalog that is deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    op.create_index_concurrently("event_catalog_idx", "event", "(catalog)")
    op.create_table(
        "webhook_held",
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["shop_private.webhook.webhook_id"],
            name=op.f("webhook_held_webhook_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("webhook_id", "product_id", "kind", name=op.f("webhook_held_pkey")),
        schema="shop_private",
    )


def downgrade() -> None:
    op.drop_functions("shop_private", "webhook_messages", "webhook_report", "webhook_queue", "delete_filtered")
    op.drop_table("webhook_held", schema="shop_private")
    op.drop_index("event_catalog_idx", "event", schema="shop")
