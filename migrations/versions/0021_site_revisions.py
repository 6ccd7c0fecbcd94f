"""Adds the table that keeps the revisions of the site."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_revision",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("script", sa.Text(), nullable=False, comment="the Python file of the revision"),
        sa.PrimaryKeyConstraint("revision", name=op.f("site_revision_pkey")),
        schema="shop_private",
    )


def downgrade() -> None:
    op.drop_table("site_revision", schema="shop_private")
