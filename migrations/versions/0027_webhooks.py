"""Adds the tables of webhooks: the receivers, the notes (products to report), and the messages that wait to be sent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("webhook_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "kinds",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="the kinds of messages: searchable, quarantined",
        ),
        sa.Column(
            "catalogs",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="the catalogs whose products are reported; null: all",
        ),
        sa.Column("secret", sa.Text(), nullable=False, comment="the key of the signatures, as whsec_ and base64"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "delivered_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the receiver last accepted a message",
        ),
        sa.Column(
            "disabled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when nothing is sent; null: the webhook is in use",
        ),
        sa.Column(
            "error", sa.Text(), nullable=True, comment="why the last attempt failed, or why the webhook is disabled"
        ),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name=op.f("webhook_name_check")),
        sa.CheckConstraint("length(url) <= 2000", name=op.f("webhook_url_check")),
        sa.CheckConstraint(
            "cardinality(kinds) > 0 and kinds <@ array['searchable', 'quarantined']", name=op.f("webhook_kinds_check")
        ),
        sa.CheckConstraint(
            "cardinality(catalogs) > 0 and array_position(catalogs, null) is null",
            name=op.f("webhook_catalogs_check"),
        ),
        sa.CheckConstraint("length(error) <= 1000", name=op.f("webhook_error_check")),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("webhook_pkey")),
        sa.UniqueConstraint("name", name=op.f("webhook_name_key")),
        schema="shop_private",
    )
    op.create_table(
        "webhook_note",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("product_id", "kind", name=op.f("webhook_note_pkey")),
        schema="shop_private",
    )
    op.create_index("webhook_note_order", "webhook_note", ["noted_at"], schema="shop_private")
    op.create_table(
        "webhook_message",
        sa.Column("message_id", sa.Text(), nullable=False, comment="the header webhook-id of every attempt"),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON, sent unchanged in every attempt"),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["shop_private.webhook.webhook_id"],
            name=op.f("webhook_message_webhook_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("webhook_message_pkey")),
        schema="shop_private",
    )
    op.create_index("webhook_message_due", "webhook_message", ["webhook_id", "due_at"], schema="shop_private")


def downgrade() -> None:
    op.execute("drop trigger if exists work_quarantined on shop_private.work")
    op.drop_functions("shop_private", "work_quarantined", "webhook_messages", "webhook_queue", "webhook_note", "work_complete")
    op.drop_table("webhook_message", schema="shop_private")
    op.drop_table("webhook_note", schema="shop_private")
    op.drop_table("webhook", schema="shop_private")
