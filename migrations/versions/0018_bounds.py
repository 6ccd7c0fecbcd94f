"""Adds constraints that refuse numbers that would break every search, addresses that run code, and attributes that are
nested too deeply.

Rows that break a new constraint are corrected. A tuned number is deleted, so that searches use the default again. A
calibration is deleted. An address becomes null. An attribute that is nested too deeply is deleted.
"""

from alembic import op

from migrations.operations.product_checks import CHECKS as PRODUCT_CHECKS
from migrations.operations.product_checks import correct

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

VALUE = (
    "case when name = 'rrf_k' then value between 1 and 10000 "
    "when name like 'zero_shot:%' then value > 0 and value <= 1000 else value between 0 and 1000 end"
)
DETAIL = "jsonb_typeof(detail) = 'object' and jsonb_typeof(detail -> 'ece') in ('number', 'null')"
FIGURES = (
    "exact_us_per_row > 0 and exact_us_per_row < 'Infinity' and hnsw_us_per_candidate >= 0 "
    "and hnsw_us_per_candidate < 'Infinity' and crossover_rows >= 0 and slack >= 0 and slack < 'Infinity' "
    "and products >= 0 and recall between 0 and 1 and background_mean between -1.01 and 1.01 "
    "and background_deviation >= 0 and background_deviation < 'Infinity'"
)
CHECKS = {  # (table, constraint): condition
    ("tuning", "value"): VALUE,
    ("tuning", "detail"): DETAIL,
    ("calibration", "figures"): FIGURES,
}
CORRECTIONS = {  # what is corrected, and the statement
    "numbers of shop.tuning": f"delete from shop.tuning where not coalesce(({VALUE}) and ({DETAIL}), true)",
    "calibrations": f"delete from shop.calibration where not coalesce({FIGURES}, true)",
}


def upgrade() -> None:
    op.add_product_checks()  # changes nothing after revision 0010, which adds these constraints too
    correct(op, CORRECTIONS)
    for (table, name), condition in CHECKS.items():
        # NOT VALID adds a constraint without a scan of the table. The end of the upgrade validates the constraint.
        op.execute(f"alter table shop.{table} add constraint {table}_{name}_check check ({condition}) not valid")


def downgrade() -> None:
    for table, name in CHECKS:
        op.drop_constraint(op.f(f"{table}_{name}_check"), table, schema="shop")
    for name in PRODUCT_CHECKS:
        op.drop_constraint(op.f(name), "product", schema="shop")
