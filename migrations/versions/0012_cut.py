"""Adds the option cut and its result to the types of a search. A cut reduces a search to its relevant products."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# The products that pass the cut of a search. by_image, by_title and by_words are the numbers of products with a near
# image, with a near title, and with a word of the query.
CUT = """
create type shop_private.search_cut as (
    product_ids uuid[], complete boolean, total_is text, image_floor double precision, title_floor double precision,
    by_image integer, by_title integer, by_words integer, ms double precision
)"""


def upgrade() -> None:
    op.execute(CUT)
    op.execute("alter type shop_private.search_request add attribute cut text")
    op.execute("alter type shop_private.search_run add attribute cut shop_private.search_cut")


def downgrade() -> None:
    op.drop_functions("shop_private", "facet_cut", "relevant_products", "cut_with_exact", "explain_cut")
    op.execute("alter type shop_private.search_run drop attribute cut")
    op.execute("alter type shop_private.search_request drop attribute cut")
    op.execute("drop type shop_private.search_cut")
