"""Adds a column for the trace of a request, so that one trace can show both the session that sends the request and the
encoder that answers it."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
serves = "0023"


def upgrade() -> None:
    op.add_column(
        "request",
        sa.Column("trace", sa.Text(), comment="traceparent of the session that asks; null: without a trace"),
        schema="shop_private",
    )


def downgrade() -> None:
    op.drop_functions("shop_private", "request_traces")
    op.drop_functions("shop_private", "gateway_encode")
    op.drop_column("request", "trace", schema="shop_private")
