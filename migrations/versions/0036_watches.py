"""Adds the tables of watches, and of the vectors and matches of watches. A watch is a stored search that reports its
new matches."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None
serves = "0023"

NOW = sa.text("clock_timestamp()")
KINDS = "cardinality(kinds) > 0 and kinds <@ array['searchable', 'quarantined'{more}]"


def upgrade() -> None:
    op.drop_constraint(op.f("webhook_kinds_check"), "webhook", schema="shop_private")
    op.create_check_constraint(
        op.f("webhook_kinds_check"), "webhook", KINDS.format(more=", 'matched'"), schema="shop_private"
    )
    op.create_table(
        "watch",
        sa.Column("watch_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("catalog", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text()),
        sa.Column("image", sa.LargeBinary()),
        sa.Column("filter", postgresql.JSONB()),
        sa.Column("min_similarity", sa.Double()),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("language", sa.Text()),
        sa.Column("words", postgresql.TSQUERY()),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint("name ~ '^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$'", name=op.f("watch_name_check")),
        sa.CheckConstraint("num_nonnulls(query, image, filter) > 0", name=op.f("watch_search_check")),
        sa.CheckConstraint("min_similarity between -1 and 1", name=op.f("watch_min_similarity_check")),
        sa.CheckConstraint("(disabled_at is null) = (error is null)", name=op.f("watch_disabled_check")),
        sa.ForeignKeyConstraint(
            ["catalog"], ["shop.catalog.catalog"], name=op.f("watch_catalog_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("watch_id", name=op.f("watch_pkey")),
        sa.UniqueConstraint("catalog", "name", name=op.f("watch_catalog_name_key")),
        schema="shop",
    )
    op.create_table(
        "watch_match",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.Column("match_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("image_similarity", sa.Double()),
        sa.Column("title_similarity", sa.Double()),
        sa.Column("matched_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["shop.product.product_id"], name=op.f("watch_match_product_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["shop.watch.watch_id"], name=op.f("watch_match_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "watch_id", name=op.f("watch_match_pkey")),
        schema="shop",
    )
    op.create_index("watch_match_order", "watch_match", ["watch_id", "match_id"], schema="shop")
    op.create_table(
        "watch_vector",
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.SmallInteger(), nullable=False),
        sa.Column("embedding", HALFVEC(), nullable=False),
        sa.Column("image_floor", sa.Double()),
        sa.Column("title_floor", sa.Double()),
        sa.Column("measured_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["shop.watch.watch_id"], name=op.f("watch_vector_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["shop.model.model_id"], name=op.f("watch_vector_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("watch_id", "model_id", name=op.f("watch_vector_pkey")),
        schema="shop_private",
    )
    op.create_table(
        "watch_count",
        sa.Column("watch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("matches", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["shop.watch.watch_id"], name=op.f("watch_count_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("watch_id", name=op.f("watch_count_pkey")),
        schema="shop_private",
    )
    op.create_table(
        "watch_note",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("product_id", name=op.f("watch_note_pkey")),
        schema="shop_private",
    )
    op.create_table(
        "watch_report",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["shop_private.webhook.webhook_id"],
            name=op.f("watch_report_webhook_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id", "watch_id"],
            ["shop.watch_match.product_id", "shop.watch_match.watch_id"],
            name=op.f("watch_report_product_id_watch_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "watch_id", "webhook_id", name=op.f("watch_report_pkey")),
        schema="shop_private",
    )
    op.create_index(op.f("watch_report_webhook_id_idx"), "watch_report", ["webhook_id"], schema="shop_private")


def downgrade() -> None:
    op.drop_functions("shop", "watch", "unwatch")
    op.drop_functions(
        "shop_private", "watch_note", "watch_tell", "watch_compare", "watch_near", "watch_passing", "watch_one_by_one",
        "watch_renew", "watch_encode", "watch_store", "watch_compile", "watch_disable", "watch_messages", "watch_mean",
        "watch_floors", "watch_words", "watch_role_sees_all", "watch_lock", "is_searchable", "webhook_queue", "webhook_report",
        "webhook_messages",
    )  # fmt: skip
    for name in ("watch_report", "watch_note", "watch_count", "watch_vector"):
        op.drop_table(name, schema="shop_private")
    op.drop_table("watch_match", schema="shop")
    op.drop_table("watch", schema="shop")
    op.execute("delete from shop_private.webhook where kinds <@ array['matched']")
    op.execute("update shop_private.webhook set kinds = array_remove(kinds, 'matched')")
    op.drop_constraint(op.f("webhook_kinds_check"), "webhook", schema="shop_private")
    op.create_check_constraint(op.f("webhook_kinds_check"), "webhook", KINDS.format(more=""), schema="shop_private")
