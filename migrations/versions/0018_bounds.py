"""Constraints keep numbers that would break every search, addresses that run code, and deep attributes out of the tables.

Rows that break a new constraint are corrected: a number is deleted, so that its default counts; a calibration is
deleted; an address becomes null; an attribute that is nested too deeply is deleted.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

OTHER_SCHEME = r"^[\u0001-\u0020]*(?!(https?|s3|gs)://)[a-z][a-z0-9+\u0001-\u0020-]*:"
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
    ("product", "depth"): "not jsonb_path_exists(attributes, '$.**{21}')",
    ("product", "address"): f"link !~* '{OTHER_SCHEME}' and image_link !~* '{OTHER_SCHEME}'",
}
CORRECTIONS = {  # what is corrected, and the statement
    "numbers of shop.tuning": f"delete from shop.tuning where not coalesce(({VALUE}) and ({DETAIL}), true)",
    "calibrations": f"delete from shop.calibration where not coalesce({FIGURES}, true)",
    "links of products": f"update shop.product set link = null where link ~* '{OTHER_SCHEME}'",
    "image links of products": f"update shop.product set image_link = null where image_link ~* '{OTHER_SCHEME}'",
    "products with deep attributes": (
        "update shop.product set attributes = (select coalesce(jsonb_object_agg(key, value), '{}') "
        "from jsonb_each(attributes) where not jsonb_path_exists(value, '$.**{20}')) "
        "where jsonb_path_exists(attributes, '$.**{21}')"
    ),
}


def upgrade() -> None:
    progress = op.get_context().opts.get("progress")
    for what, correction in CORRECTIONS.items():
        corrected = op.get_bind().exec_driver_sql(correction, execution_options={"no_parameters": True}).rowcount
        if corrected and progress:
            progress(f"correcting {what} that break a constraint: {corrected}")
    for (table, name), condition in CHECKS.items():
        # NOT VALID adds a constraint without a scan of the table. The end of the upgrade validates the constraint.
        op.execute(f"alter table shop.{table} add constraint {table}_{name}_check check ({condition}) not valid")


def downgrade() -> None:
    for table, name in CHECKS:
        op.drop_constraint(op.f(f"{table}_{name}_check"), table, schema="shop")
