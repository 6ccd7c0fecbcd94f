"""Adds details of events, two kinds of events, and the table of idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None
serves = "0023"

COLUMNS = {
    "search_id": (sa.Text(), "the id of the search answer that led to the event"),
    "occurred_at": (sa.DateTime(timezone=True), "when the event happened, as the shop reports it; null: when it arrived"),
    "value": (sa.Numeric(14, 2), "total price of the event's products; the column currency has its unit"),
    "currency": (sa.Text(), "ISO 4217 code of value"),
    "quantity": (sa.Integer(), "number of pieces that were put into the cart or bought"),
    "position": (sa.Integer(), "place of the product in the list that the shopper saw, from 1"),
    "session": (sa.Text(), "the shop's own name of the visitor's session"),
}
KINDS = "kind in ('search', 'view', 'click', 'wishlist', 'add_to_cart', 'purchase')"
DETAILS = (
    "length(search_id) <= 64 and length(session) <= 200 and value >= 0 and value <> 'NaN' "
    "and currency ~ '^[A-Z]{3}$' and quantity > 0 and position > 0"
)


def upgrade() -> None:
    for name, (kind, comment) in COLUMNS.items():
        op.add_column("event", sa.Column(name, kind, comment=comment), schema="shop")
    op.alter_column("event", "kind", comment="search, view, click, wishlist, add_to_cart or purchase", schema="shop")
    op.drop_constraint(op.f("event_kind_check"), "event", schema="shop")
    # NOT VALID adds a constraint without a scan of the table. The end of the upgrade validates the constraint.
    op.execute(f"alter table shop.event add constraint event_kind_check check ({KINDS}) not valid")
    op.execute(f"alter table shop.event add constraint event_details_check check ({DETAILS}) not valid")
    op.create_table(
        "idempotency",
        sa.Column("idempotency_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="SHA-256 of the client and its Idempotency-Key"),
        sa.Column("request", sa.LargeBinary(), nullable=False, comment="SHA-256 of the request"),
        sa.Column(
            "claimed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("status", sa.SmallInteger(), comment="HTTP status of the answer; null: the request is running"),
        sa.Column("answer", sa.LargeBinary(), comment="body of the answer"),
        sa.CheckConstraint("length(key) = 32 and length(request) = 32", name=op.f("idempotency_hashes_check")),
        sa.PrimaryKeyConstraint("idempotency_id", name=op.f("idempotency_pkey")),
        sa.UniqueConstraint("key", name=op.f("idempotency_key_key")),
        schema="shop_private",
    )


def downgrade() -> None:
    op.drop_functions("shop_private", "idempotency_claim", "idempotency_end")
    op.drop_table("idempotency", schema="shop_private")
    op.execute("delete from shop.event where kind in ('view', 'wishlist')")
    op.drop_constraint(op.f("event_details_check"), "event", schema="shop")
    op.drop_constraint(op.f("event_kind_check"), "event", schema="shop")
    op.execute(
        "alter table shop.event add constraint event_kind_check "
        "check (kind in ('search', 'click', 'add_to_cart', 'purchase')) not valid"
    )
    op.alter_column("event", "kind", comment="search, click, add_to_cart or purchase", schema="shop")
    for name in reversed(COLUMNS):
        op.drop_column("event", name, schema="shop")
