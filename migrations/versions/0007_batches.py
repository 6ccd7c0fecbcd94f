"""Drops functions whose arguments changed, and deletes calibrations, because search reads the HNSW index in batches."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REPLACED = "'hnsw_leg', 'search_leg', 'calibration_try', 'nearest_by_index'"


def upgrade() -> None:
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
    op.execute("delete from shop.calibration")
    op.execute(
        "comment on column shop.calibration.stretch is "
        "'filtered: the nearest have settled when none came during the candidates to this power'"
    )
    op.execute("comment on column shop_private.work.attempts is 'attempts begun alone, or failed among others'")


def downgrade() -> None:
    op.execute("comment on column shop_private.work.attempts is 'solo attempts begun'")
    op.execute("delete from shop.calibration")
    op.execute(
        "comment on column shop.calibration.stretch is "
        "'filtered: ef_search grows with the candidates looked at to this power'"
    )
