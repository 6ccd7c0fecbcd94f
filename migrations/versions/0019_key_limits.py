"""Adds the catalogs, the filter and the expiry of an API key."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

COLUMNS = {
    "catalogs": (ARRAY(sa.Text()), "the catalogs that the key allows; null: all"),
    "filter": (JSONB(), "filter; the key reads only products that pass it; null: all products"),
    "expires_at": (sa.DateTime(timezone=True), "when the key stops working; null: never"),
}


def upgrade() -> None:
    for name, (kind, comment) in COLUMNS.items():
        op.add_column("api_key", sa.Column(name, kind, comment=comment), schema="shop_private")
    op.create_check_constraint(
        "api_key_catalogs_check",
        "api_key",
        "cardinality(catalogs) > 0 and array_position(catalogs, null) is null",
        schema="shop_private",
    )
    op.create_check_constraint(
        "api_key_filter_check",
        "api_key",
        "filter is null or jsonb_typeof(filter) = 'object' and scopes = array['search']",
        schema="shop_private",
    )
    op.alter_column(
        "api_key",
        "scopes",
        comment="search; write, which includes search; or admin, which includes both",
        schema="shop_private",
    )


def downgrade() -> None:
    # A key that would allow more without its limits is revoked.
    op.execute(
        "update shop_private.api_key set revoked_at = clock_timestamp() where revoked_at is null "
        "and (catalogs is not null or filter is not null or expires_at is not null)"
    )
    for name in COLUMNS:
        op.drop_column("api_key", name, schema="shop_private")
    op.alter_column(
        "api_key", "scopes", comment="search, write, or admin, which includes both", schema="shop_private"
    )
