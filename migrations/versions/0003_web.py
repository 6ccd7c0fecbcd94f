"""Creates the table of API keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("api_key_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="sha256 of the token"),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False, comment="search, write, or admin: both"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the key was last used, to the minute",
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name=op.f("api_key_name_check")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("api_key_hash_check")),
        sa.CheckConstraint(
            "cardinality(scopes) > 0 and scopes <@ array['search', 'write', 'admin']", name=op.f("api_key_scopes_check")
        ),
        sa.PrimaryKeyConstraint("api_key_id", name=op.f("api_key_pkey")),
        sa.UniqueConstraint("hash", name=op.f("api_key_hash_key")),
        schema="shop_private",
    )
    op.create_index(
        "api_key_one_in_force",
        "api_key",
        ["name"],
        unique=True,
        schema="shop_private",
        postgresql_where=sa.text("revoked_at is null"),
    )


def downgrade() -> None:
    op.execute("drop function if exists shop_private.api_key_use, shop_private.encoder_state, shop_private.image_folder")
    op.drop_table("api_key", schema="shop_private")
