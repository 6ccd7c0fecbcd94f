"""Adds the options group_by and diversity to the type of a search, and columns for groups to the type of a row of a
page."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None
serves = "0023"

# A group of products, in the order of the ranking. `members` are its ranked products, the first of which is product_id.
GROUP = "create type shop_private.product_group as (place bigint, product_id uuid, value text, members uuid[])"
# The new columns of a row of a page. `note` says why a page has fewer groups than requested.
COLUMNS = {
    "group_value": "text",
    "group_products": "bigint",
    "group_low": "numeric",
    "group_high": "numeric",
    "note": "text",
}


def upgrade() -> None:
    op.execute(GROUP)
    op.execute("alter type shop_private.search_request add attribute group_by text")
    op.execute("alter type shop_private.search_request add attribute diversity double precision")
    for name, kind in COLUMNS.items():
        op.execute(f"alter type shop_private.page_product add attribute {name} {kind}")


def downgrade() -> None:
    op.drop_functions(
        "shop_private",
        "group_field",
        "image_groups",
        "diversified",
        "group_heads",
        "group_figures",
        "group_total",
        "arranged_page",
        "pinned_groups",
        "explain_groups",
    )
    for name in COLUMNS:
        op.execute(f"alter type shop_private.page_product drop attribute {name}")
    op.execute("alter type shop_private.search_request drop attribute diversity")
    op.execute("alter type shop_private.search_request drop attribute group_by")
    op.execute("drop type shop_private.product_group")
