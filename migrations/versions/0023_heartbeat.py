"""Adds the heartbeat of the primary, from which web processes compute the lag of a standby.

The sequence of the unlogged table of requests becomes logged. On a promoted standby, PostgreSQL 18.1 cannot read an
unlogged sequence ("bad magic number in sequence"), so no new query could be encoded after a failover.

From this revision on, each revision states the oldest code that it serves.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
serves = "0023"  # code before this revision accepts no schema that is newer than the code


def upgrade() -> None:
    op.create_table(
        "primary_heartbeat",
        sa.Column("is_only", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False, comment="by the clock of the primary"),
        sa.CheckConstraint("is_only", name="is_only"),
        sa.PrimaryKeyConstraint("is_only", name=op.f("primary_heartbeat_pkey")),
        schema="shop_private",
    )
    op.execute("insert into shop_private.primary_heartbeat (beat_at) values (clock_timestamp())")
    op.execute("alter sequence shop_private.request_id_seq set logged")


def downgrade() -> None:
    op.execute("alter sequence shop_private.request_id_seq set unlogged")
    op.drop_functions("shop_private", "primary_beat")
    op.drop_table("primary_heartbeat", schema="shop_private")
