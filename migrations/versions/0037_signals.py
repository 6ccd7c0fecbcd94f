"""Adds the tables and types of ranking signals and rules. A signal is a number for each product, such as its stock, by
which searches change the score of the product. A rule is what a shop sets for certain searches, such as a fixed place
for a product."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None
serves = "0023"

# What one signal adds to the scores of a search. `contributions` has a number for each product, and is null if the
# signal cannot be read. `found` is the number of products with a value above 0. If `name` is null, the row has the sums
# of the signals that the caller may not see.
PART = """
create type shop_private.signal_part as (
    name text, weight double precision, contributions double precision[], found integer, problem text
)"""

# What signals and rules do to a search. The attributes are:
#   active    true if the order of the products may change, otherwise null
#   signals   the weights of signals that the search asks for
#   rules     the keys of the rules that set weights of signals
#   names     the names of all rules that change the search
#   factors   for each filter of `boosts`, the boost of the products that pass this filter
#   filters   conditions that are added to the filter of the search
#   pins      the products that have a fixed place; `places` has the place of each
#   notice    the new query, the redirect and the banner
#   unmet     why rules about the meaning of a query do not apply
#   hidden    the products that are left out
RANKING = """
create type shop_private.search_ranking as (
    active boolean, signals jsonb, rules bigint[], names text[], boosts jsonb[], factors double precision[],
    filters jsonb[], pins uuid[], places integer[], notice jsonb, unmet text, hidden uuid[]
)"""

# The last columns of page_product. The upgrade drops them, adds shop_ranking, and adds them again after shop_ranking.
AFTER = {
    "mark": "text",
    "group_value": "text",
    "group_products": "bigint",
    "group_low": "numeric",
    "group_high": "numeric",
    "note": "text",
}


def upgrade() -> None:
    op.execute(PART)
    op.execute(RANKING)
    op.execute("alter type shop_private.search_request add attribute signals jsonb, add attribute rules text")
    op.execute("alter type shop_private.search_run add attribute ranking shop_private.search_ranking")
    op.execute("alter type shop_private.fused_product add attribute shop_ranking double precision")
    for name in reversed(AFTER):
        op.execute(f"alter type shop_private.page_product drop attribute {name}")
    op.execute("alter type shop_private.page_product add attribute shop_ranking double precision")
    for name, kind in AFTER.items():
        op.execute(f"alter type shop_private.page_product add attribute {name} {kind}")
    op.create_table('signal',
    sa.Column('name', sa.Text(), nullable=False, comment='name of the signal, and of its function in schema shop_signals'),
    sa.Column('source', sa.Text(), nullable=True, comment='the view or table that has the number; null: a built-in signal'),
    sa.Column('value_column', sa.Text(), nullable=True, comment='the column with the number'),
    sa.Column('key', sa.Text(), nullable=True, comment='the column that names the product: product_id or sku'),
    sa.Column('catalog', sa.Text(), nullable=True, comment='the catalog of all rows; null: each row names its catalog or its product_id'),
    sa.Column('normalise', sa.Text(), nullable=True, comment='how the number is mapped to 0 to 1: percentile, log or decay'),
    sa.Column('half_life', sa.Interval(), nullable=True, comment='the age that halves the value of a signal with normalise decay'),
    sa.Column('weight', sa.Double(), server_default='0', nullable=False, comment='weight in every search that names no other weight'),
    sa.Column('visible', sa.Text(), server_default='all', nullable=False, comment='staff: only the role app sees the contribution of the signal'),
    sa.Column('defined_by', sa.Text(), nullable=True, comment='the role with whose rights the signal is read; null: a built-in signal'),
    sa.Column('bounds', postgresql.ARRAY(sa.Double()), nullable=True, comment='101 quantiles of the negated numbers, ascending'),
    sa.Column('refreshed_at', sa.DateTime(timezone=True), nullable=True, comment='when bounds, or the popularity, were last computed'),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False, comment='when it was added'),
    sa.CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,39}$'", name=op.f('signal_name_check')),
    sa.CheckConstraint("visible = 'all' or visible = 'staff' and defined_by is not null", name=op.f('signal_visible_check')),
    sa.CheckConstraint('weight between -10 and 10', name=op.f('signal_weight_check')),
    sa.PrimaryKeyConstraint('name', name=op.f('signal_pkey')),
    schema='shop',
    comment='Numbers by which searches rank products: built-in ones and those of shop.add_signal.'
    )
    op.create_table('popularity',
    sa.Column('product_id', sa.Uuid(), nullable=False, comment='key of the product'),
    sa.Column('points', sa.Double(), nullable=False, comment='the events of the product, newer ones counting more'),
    sa.Column('value', sa.Double(), nullable=False, comment='share of the used products of the catalog that have at most as many points'),
    sa.ForeignKeyConstraint(['product_id'], ['shop.product.product_id'], name=op.f('popularity_product_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('product_id', name=op.f('popularity_pkey')),
    schema='shop',
    comment='How much visitors used each product, as of the last shop.refresh_signals.'
    )

    op.create_table('rule',
    sa.Column('rule_id', sa.BigInteger(), sa.Identity(always=True), nullable=False, comment='the key of the rule'),
    sa.Column('name', sa.Text(), nullable=False, comment='the name that results show'),
    sa.Column('catalog', sa.Text(), server_default='main', nullable=False, comment='the catalog whose searches the rule changes'),
    sa.Column('status', sa.Text(), server_default='draft', nullable=False, comment='draft, or live: searches follow the rule'),
    sa.Column('priority', sa.Integer(), server_default='0', nullable=False, comment='a rule with a higher number comes first'),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=True, comment='when the rule begins; null: it has begun'),
    sa.Column('valid_to', sa.DateTime(timezone=True), nullable=True, comment='when the rule ends; null: it has no end'),
    sa.Column('condition', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='when the rule applies, such as {"query": "red shoes"}'),
    sa.Column('action', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='what the rule does, such as {"pin": "A-17", "at": 1}'),
    sa.Column('lookup', sa.Text(), server_default='', nullable=False, comment='the key by which a search finds the rule'),
    sa.Column('target_id', sa.Uuid(), nullable=True, comment='key of the product that the rule pins or hides'),
    sa.Column('vector', HALFVEC(), nullable=True, comment='vector of the text of a condition similar'),
    sa.Column('model_id', sa.SmallInteger(), nullable=True, comment='the model that computed vector'),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False, comment='when it was last saved'),
    sa.CheckConstraint("name ~ '\\S' and length(name) <= 100", name=op.f('rule_name_check')),
    sa.CheckConstraint("status in ('draft', 'live')", name=op.f('rule_status_check')),
    sa.PrimaryKeyConstraint('rule_id', name=op.f('rule_pkey')),
    sa.UniqueConstraint('catalog', 'name', name=op.f('rule_catalog_name_key')),
    schema='shop',
    comment='How a shop changes its searches: pins, hidden products, boosts, other queries, redirects, banners.'
    )
    op.create_index(op.f("rule_catalog_lookup_idx"), "rule", ["catalog", "lookup"], schema="shop")
    op.execute(
        "insert into shop.signal (name) values ('popularity'), ('stock'), ('freshness'), ('rating'), ('discount')"
    )


def downgrade() -> None:
    op.drop_functions("shop", "add_signal", "drop_signal", "refresh_signals", "signal_state")
    op.drop_functions("shop_private", "built_in_signals", "read_signals", "signal_parts", "signal_sums", "sort_signal", "explain_signals")
    op.drop_functions("shop_private", "explain_rules")
    op.drop_functions("shop_private", "search_ranking", "ranked_products", "ruled_request", "tell_rules")
    op.drop_functions(
        "shop_private", "check_rule", "check_rule_conflicts", "search_rules", "pinned_places", "new_run", "rule_replaces"
    )
    op.drop_table("rule", schema="shop")
    op.drop_functions("shop_private", "rule_saved")
    op.drop_table("popularity", schema="shop")
    op.drop_table("signal", schema="shop")
    op.execute("drop schema if exists shop_signals cascade")
    op.execute("alter type shop_private.page_product drop attribute shop_ranking")
    op.execute("alter type shop_private.fused_product drop attribute shop_ranking")
    op.execute("alter type shop_private.search_run drop attribute ranking")
    op.execute("alter type shop_private.search_request drop attribute signals, drop attribute rules")
    op.execute("drop type shop_private.search_ranking")
    op.execute("drop type shop_private.signal_part")
