"""Adds the tables in which a calibration keeps its steps, so that it can be stopped and continued."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibration_run",
        sa.Column("model_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "measures",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="arguments, index and revision; a calibration with other values begins a new run",
        ),
        sa.Column("products", sa.BigInteger(), nullable=False, comment="number of encoded products when the run began"),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("target_recall", sa.Double(), nullable=False),
        sa.Column(
            "began_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "stepped_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="start of the last step",
        ),
        sa.Column(
            "session", sa.Integer(), nullable=False, comment="process id of the session that took the last step"
        ),
        sa.Column("query_kind", sa.Text()),
        sa.Column("vectors", postgresql.ARRAY(HALFVEC()), comment="the queries; null: not drawn yet"),
        sa.Column(
            "own_products",
            postgresql.ARRAY(sa.Uuid()),
            comment="for each query, the product whose image it is; null for a text",
        ),
        sa.Column("mixes", postgresql.ARRAY(HALFVEC()), comment="queries that are mixes of products"),
        sa.Column(
            "mix_inputs", postgresql.ARRAY(HALFVEC()), comment="the two products of each mix, one after the other"
        ),
        sa.Column(
            "done",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="results of complete steps, by name",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["shop.model.model_id"], name=op.f("calibration_run_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", name=op.f("calibration_run_pkey")),
        schema="shop_private",
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "calibration_list",
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("condition", sa.SmallInteger(), nullable=False, comment="number of the filter; 1 for a trial"),
        sa.Column("query", sa.SmallInteger(), nullable=False, comment="number of the query"),
        sa.Column("product_ids", postgresql.ARRAY(sa.Uuid()), comment="the nearest first"),
        sa.Column("distances", postgresql.ARRAY(sa.Double())),
        sa.Column("examined", sa.Double(), comment="candidates that a trial examined, or pages that the exact search has compared"),
        sa.Column("ms", sa.Double(), comment="time of a trial's search"),
        sa.PrimaryKeyConstraint("step", "condition", "query", name=op.f("calibration_list_pkey")),
        schema="shop_private",
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    op.drop_functions(
        "shop_private", "calibration_measure", "calibration_begin", "calibration_sample", "calibration_nearest",
        "calibration_bounds", "calibration_try", "calibration_ef_search", "calibration_margin",
        "calibration_stop_margin", "calibration_mixes", "calibration_far_filters",
    )  # fmt: skip
    op.drop_table("calibration_list", schema="shop_private")
    op.drop_table("calibration_run", schema="shop_private")
