"""A filtered index scan now converges by distance, not by the number of candidates. Deletes the stored calibrations,
because they were measured with the earlier rule."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

REPLACED = "'hnsw_leg', 'by_index', 'calibration_try', 'search_settings'"


def upgrade() -> None:
    _drop_replaced()
    op.execute("delete from shop.calibration")
    op.execute("alter table shop.calibration rename column stretch to slack")
    op.execute(
        "comment on column shop.calibration.slack is "
        "'with a filter, the first k have converged if a new candidate is farther than the k-th by this'"
    )


def downgrade() -> None:
    _drop_replaced()
    op.execute("delete from shop.calibration")
    op.execute("alter table shop.calibration rename column slack to stretch")
    op.execute(
        "comment on column shop.calibration.stretch is "
        "'with a filter, the first k have converged if none was found in the last candidates to this power'"
    )


def _drop_replaced() -> None:
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
