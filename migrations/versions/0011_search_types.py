"""Creates composite types for the arguments, the settings and the results of a search. The types replace long lists of
arguments."""

import sqlalchemy as sa
from alembic import op

from migrations.operations.script import quoted

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# The arguments of shop.search.
REQUEST = """
create type shop_private.search_request as (
    query text, image bytea, inputs jsonb, filter jsonb, k integer, catalog text,
    image_weight double precision, title_weight double precision, keyword_weight double precision, rrf_k integer,
    min_similarity double precision, max_gap double precision, degrade boolean, route text
)"""

# The settings that control a search. The function shop_private.search_settings() returns them.
SETTINGS = """
create type shop_private.search_settings as (
    model_id smallint, model text, revision text, image_table regclass, title_table regclass, image_index regclass,
    title_index regclass, products bigint, images bigint, calibration_id bigint,
    ef_search integer, stop_margin double precision, exact_us_per_row double precision,
    hnsw_us_per_candidate double precision, exact_limit bigint,
    image_weight double precision, title_weight double precision, keyword_weight double precision, rrf_k integer
)"""

# `field` is sku, gtin, mpn, attribute, brand or text. A product with a higher grade comes first.
EXACT_MATCH = "create type shop_private.exact_match as (product_id uuid, field text, grade integer)"

# What a search has found before its legs are fused. The column total_is says whether `total` is exact, an estimate or a
# lower bound.
RUN = """
create type shop_private.search_run as (
    model_id smallint, model text, revision text, calibration_id bigint, products bigint, depth integer,
    image_leg shop_private.leg, title_leg shop_private.leg, keyword_leg shop_private.leg,
    image_weight double precision, title_weight double precision, keyword_weight double precision, rrf_k integer,
    image_vector {vector}.halfvec, title_vector {vector}.halfvec, condition text, route text, rows_examined bigint,
    total bigint, total_is text, vector_ms double precision, filter_ms double precision, degraded text,
    exact shop_private.exact_match[], exact_ms double precision
)"""

FUSED = """
create type shop_private.fused_product as (
    place bigint, product_id uuid, position smallint, score double precision,
    image_rank integer, image_distance double precision, image_contribution double precision,
    title_rank integer, title_distance double precision, title_contribution double precision,
    keyword_rank integer, keyword_score double precision, keyword_contribution double precision, exact_match text
)"""


TYPES = ("fused_product", "search_run", "search_settings", "search_request", "exact_match")

# The name of an array type is an underscore and the name of the type of its elements.
USERS_OF_TYPES = """
select distinct p.proname from pg_depend d
join pg_proc p on p.oid = d.objid
join pg_type t on t.oid = d.refobjid
where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_type'::regclass
  and t.typnamespace = 'shop_private'::regnamespace and t.typname = any(:types)
  and p.pronamespace = 'shop_private'::regnamespace"""


def upgrade() -> None:
    op.execute("alter type shop_private.near rename to candidate")
    # For the keyword leg, this column contains scores. For the other legs, it contains distances.
    op.execute("alter type shop_private.leg rename attribute scores to measures")
    op.execute("alter type shop_private.leg rename attribute examined to rows_examined")
    vector = quoted(op, op.get_context().opts["schemas"]["vector"])
    for statement in (EXACT_MATCH, REQUEST, SETTINGS, RUN.format(vector=vector), FUSED):
        op.execute(statement)


def downgrade() -> None:
    users = op.get_bind().scalars(sa.text(USERS_OF_TYPES), {"types": [*TYPES, *(f"_{name}" for name in TYPES)]}).all()
    op.drop_functions("shop_private", *users)
    for name in TYPES:
        op.execute(f"drop type shop_private.{name}")
    op.execute("alter type shop_private.leg rename attribute rows_examined to examined")
    op.execute("alter type shop_private.leg rename attribute measures to scores")
    op.execute("alter type shop_private.candidate rename to near")
