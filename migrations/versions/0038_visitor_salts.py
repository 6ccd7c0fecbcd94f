"""Adds a table of salts, one for each day. The search page derives the names of its visitors from the salt of the day,
so that a name is valid for one day only."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    # Base backups, archives and standbys would keep a salt after its day. They have no data of unlogged tables.
    op.create_table(
        "visitor_salt",
        sa.Column("day", sa.Date(), nullable=False, comment="the day, in UTC"),
        sa.Column("salt", sa.LargeBinary(), nullable=False, comment="random bytes, deleted after the day"),
        sa.PrimaryKeyConstraint("day", name=op.f("visitor_salt_pkey")),
        schema="shop_private",
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    op.drop_functions("shop_private", "salt_of_day", "delete_old_salts")
    op.drop_table("visitor_salt", schema="shop_private")
