"""Drops functions whose arguments changed, and deletes calibrations. Both are needed because searches now read the HNSW
index in batches."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REPLACED = "'hnsw_leg', 'search_leg', 'calibration_try', 'nearest_by_index'"


def upgrade() -> None:
    # After the last revision, the upgrade runs every file of db/functions. So each dropped function that still has a
    # file is created again.
    op.execute(f"""
        do $$
        declare
            old regprocedure;
        begin
            for old in select p.oid from pg_proc p
                       where p.pronamespace = 'shop_private'::regnamespace and p.proname in ({REPLACED})
            loop
                execute 'drop function ' || old;
            end loop;
        end $$""")
    op.execute("delete from shop.calibration")
    op.execute(
        "comment on column shop.calibration.stretch is "
        "'with a filter, the first k have converged if none was found in the last candidates to this power'"
    )
    op.execute("comment on column shop_private.work.attempts is 'attempts that began alone or failed in a batch'")


def downgrade() -> None:
    op.execute("comment on column shop_private.work.attempts is 'attempts that began alone'")
    op.execute("delete from shop.calibration")
    op.execute(
        "comment on column shop.calibration.stretch is "
        "'with a filter, ef_search is the number of candidates to this power'"
    )
