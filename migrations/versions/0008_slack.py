"""A filtered search converges by distance, not by the number of candidates. Calibrations for the number are deleted."""

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
        "'filtered: the nearest have settled when a fresh candidate is farther than the k-th by so much'"
    )


def downgrade() -> None:
    _drop_replaced()
    op.execute("delete from shop.calibration")
    op.execute("alter table shop.calibration rename column slack to stretch")
    op.execute(
        "comment on column shop.calibration.stretch is "
        "'filtered: the nearest have settled when none came during the candidates to this power'"
    )


def _drop_replaced() -> None:
    # The end of this upgrade creates the functions again that still have a file.
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
