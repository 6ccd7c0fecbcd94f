"""Adds the option sort to the type of a search. Also adds a type for a row of a page of results, and indexes on the
currency and on the group of variants of a product."""

from alembic import op

from migrations.operations.variant_indexes import INDEXES, TITLE_INDEX

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None
serves = "0023"

# A row of a page of results. `mark` is the part of the row's cursor that a sorted list needs (see sorted_products). In
# a list that is not sorted, `mark` is null.
PAGE_PRODUCT = """
create type shop_private.page_product as (
    place bigint, product_id uuid, position smallint, score double precision,
    image_rank integer, image_distance double precision, image_contribution double precision,
    title_rank integer, title_distance double precision, title_contribution double precision,
    keyword_rank integer, keyword_score double precision, keyword_contribution double precision, exact_match text,
    mark text
)"""



def upgrade() -> None:
    # Revision 0010 adds these indexes too. The call is for databases that ran an earlier version of revision 0010.
    op.add_variant_indexes()
    op.execute(PAGE_PRODUCT)
    op.execute("alter type shop_private.search_request add attribute sort text")


def downgrade() -> None:
    op.drop_functions(
        "shop_private",
        "search_page",
        "sorted_page",
        "explain_sort",
        "browse_sorted",
        "browse_currency",
        "sorted_products",
        "sorted_cut",
        "one_currency",
        "sort_keys",
        "sort_field",
    )
    op.execute("alter type shop_private.search_request drop attribute sort")
    op.execute("drop type shop_private.page_product")
    for name in (name for name in INDEXES if name != TITLE_INDEX):
        op.execute(f"delete from shop.deferred_index where name = '{name}'")
        op.execute(f"drop index if exists shop.{name}")  # a load may have deferred the index
