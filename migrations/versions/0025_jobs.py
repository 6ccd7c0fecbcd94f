"""Adds the tables and functions of procrastinate 3.10 in the schema shop_jobs, and the table of feeds."""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0023"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    # procrastinate's SQL names no schema, so the search path is set to shop_jobs while it runs. The block below makes
    # procrastinate's functions find its tables with any search path.
    op.execute("select set_config('shop.search_path', current_setting('search_path'), false)")
    op.execute("set search_path = shop_jobs")
    op.execute(SchemaManager.get_schema().replace("\t", "    "))  # alembic replaces tabs in the same way with --sql
    op.execute("select set_config('search_path', current_setting('shop.search_path'), false)")
    op.execute(
        """
        do $$ declare f regprocedure; begin
            for f in select oid from pg_proc where pronamespace = 'shop_jobs'::regnamespace loop
                execute format('alter function %s set search_path = shop_jobs, pg_temp', f);
                execute format('revoke all on function %s from public', f);
            end loop;
        end $$"""
    )
    op.create_table(
        "feed",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "cron", sa.Text(), nullable=False, comment="when the feed is loaded, in UTC: minute hour day month weekday"
        ),
        sa.Column("arguments", postgresql.ARRAY(sa.Text()), nullable=False, comment="the arguments of windowshop load"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="when the feed is loaded next"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), comment="when the last load ended"),
        sa.Column(
            "exit_code", sa.SmallInteger(), comment="exit code of the last load; negative: the signal that ended it"
        ),
        sa.Column("report", sa.Text(), comment="the output of the last load"),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name=op.f("feed_name_check")),
        sa.CheckConstraint("length(report) <= 4000", name=op.f("feed_report_check")),
        sa.PrimaryKeyConstraint("name", name=op.f("feed_pkey")),
        schema="shop_private",
    )


def downgrade() -> None:
    op.drop_functions("shop_private", "delete_old_events", "delete_old_queries", "take_up_jobs")
    op.drop_table("feed", schema="shop_private")
    op.execute("drop schema shop_jobs cascade")
