"""Adds keywords and their indexes, catalogs with a language, calibration, tuning, judgements, evaluations and events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A generated column depends on this function, so a revision defines it. The text search configurations of pg_catalog do
# not change, so the cast from text to regconfig is in fact immutable. Only the first 20,000 characters of a description
# are used.
KEYWORDS = """
create function shop_private.keywords(
    language text, sku text, title text, brand text, product_type text, color text, material text, gtin text, mpn text,
    description text, attributes jsonb
) returns tsvector
language plpgsql immutable parallel safe as $$
declare
    c constant regconfig := ('pg_catalog.' || pg_catalog.quote_ident(language))::pg_catalog.regconfig;
begin
    return pg_catalog.setweight(pg_catalog.to_tsvector(c, pg_catalog.concat_ws(' ', title, sku, gtin, mpn)), 'A')
        operator(pg_catalog.||) pg_catalog.setweight(
            pg_catalog.to_tsvector(c, pg_catalog.concat_ws(' ', brand, product_type, color, material)), 'B')
        operator(pg_catalog.||) pg_catalog.setweight(pg_catalog.jsonb_to_tsvector(c, attributes, '["string"]'), 'C')
        operator(pg_catalog.||) pg_catalog.setweight(
            pg_catalog.to_tsvector(c, pg_catalog."left"(coalesce(description, ''), 20000)), 'D');
end $$"""

# The result of one leg of a search: the products, nearest first, each with its best image, and how the leg found them.
LEG = """
create type shop_private.leg as (
    product_ids uuid[], positions smallint[], scores double precision[], route text, index_name text,
    ef_search integer, examined bigint, ms double precision, reason text
)"""

# An image or title, and the distance between its vector and the vector of the query.
NEAR = "create type shop_private.near as (product_id uuid, position smallint, distance double precision)"

# Returns the id of a judged query. A generated column depends on this function.
QUERY_ID = """
create function shop_private.query_id(query text, picture bytea, picture_sku text) returns uuid
language sql immutable parallel safe set search_path = pg_catalog as $$
    select encode(substr(sha256(
        coalesce(sha256(convert_to(query, 'UTF8')), '') || '\\x1f' || coalesce(sha256(picture), '') || '\\x1f'
        || coalesce(sha256(convert_to(picture_sku, 'UTF8')), '')), 1, 16), 'hex')::uuid
$$"""


# A row of shop.search and shop.similar. Distances are cosine distances; the columns of a leg that did not find the
# product are null.
SEARCH_RESULT = """
create type shop.search_result as (
    rank integer, product_id uuid, sku text, title text, brand text, product_type text, price numeric, currency text,
    availability text, color text, link text, image_link text, image_uri text, image_position smallint,
    score double precision,
    image_rank integer, image_distance double precision, image_contribution double precision,
    title_rank integer, title_distance double precision, title_contribution double precision,
    keyword_rank integer, keyword_score double precision, keyword_contribution double precision,
    route text, rows_examined bigint, complete boolean, reason text, total bigint, total_is text, cursor text
)"""

# A row of shop.matches. The result is declared as a type, because shop.matches has an argument sku and a column sku. A
# function with result columns cannot have an argument and a column of the same name.
MATCH = """
create type shop.match as (
    product_id uuid, sku text, title text, price numeric, phash_distance integer, image_distance real,
    title_distance real, trigram_similarity real, score real, evidence text
)"""

# A row of shop.explain_search.
SEARCH_STEP = """
create type shop.search_step as (
    step text, route text, index_name text, ef_search integer, found integer, examined bigint, ms double precision,
    note text
)"""

# Even a policy that allows every row makes searches slower. On a table with a policy, PostgreSQL uses no index and no
# statistics for conditions that are not leakproof, such as numeric comparisons. A search of 100,000 rows with the
# condition price < 0.1 took 27 ms instead of 0.2 ms. If a site has other policies, all policies stay.
NO_IDLE_POLICY = """
do $$ begin
    if (select array_agg(polname::text) from pg_policy where polrelid = 'shop.product'::regclass) = '{everyone}' then
        drop policy everyone on shop.product;
        alter table shop.product disable row level security;
    end if;
end $$"""


def upgrade() -> None:
    op.execute(NO_IDLE_POLICY)
    op.execute(KEYWORDS)
    op.execute(NEAR)
    op.execute(LEG)
    op.execute(SEARCH_RESULT)
    op.execute(SEARCH_STEP)
    op.execute(MATCH)
    op.execute(QUERY_ID)
    op.create_table(
        "catalog",
        sa.Column("catalog", sa.Text(), nullable=False, comment="name of a catalog that has or had products"),
        sa.Column("language", sa.Text(), server_default="english", nullable=False, comment="language of its titles"),
        sa.PrimaryKeyConstraint("catalog", name=op.f("catalog_pkey")),
        schema="shop",
    )
    op.execute("insert into shop.catalog (catalog) select distinct catalog from shop.product")
    op.add_column(
        "product",
        sa.Column(
            "language", sa.Text(), server_default="english", nullable=False, comment="a text search configuration"
        ),
        schema="shop",
    )
    op.add_column(
        "product",
        sa.Column(
            "keywords",
            postgresql.TSVECTOR(),
            sa.Computed(
                "shop_private.keywords(language, sku, title, brand, product_type, color, material, gtin, mpn, "
                "description, attributes)",
                persisted=True,
            ),
            nullable=False,
        ),
        schema="shop",
    )
    op.create_index(op.f("product_brand_idx"), "product", ["brand"], schema="shop")
    op.create_index(
        "product_attributes_idx",
        "product",
        ["attributes"],
        schema="shop",
        postgresql_using="gin",
        postgresql_ops={"attributes": "jsonb_path_ops"},
    )
    op.create_index("product_keywords_idx", "product", ["keywords"], schema="shop", postgresql_using="gin")
    op.create_index(
        "product_title_trgm_idx",
        "product",
        ["title"],
        schema="shop",
        postgresql_using="gin",
        postgresql_ops={"title": "gin_trgm_ops"},
    )
    op.create_index(
        op.f("product_image_phash_idx"),
        "product_image",
        ["phash"],
        schema="shop",
        postgresql_where=sa.text("position = 0"),
    )
    now = sa.text("clock_timestamp()")
    op.create_table(
        "calibration",
        sa.Column("calibration_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model_id", sa.SmallInteger(), nullable=False),
        sa.Column("calibrated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("products", sa.BigInteger(), nullable=False, comment="encoded products at that time"),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("target_recall", sa.Double(), nullable=False),
        sa.Column(
            "recall",
            sa.Double(),
            nullable=True,
            comment="recall@k with ef_search; null: too few products for an index to matter",
        ),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column("query_kind", sa.Text(), nullable=False),
        sa.Column(
            "ef_search", sa.Integer(), nullable=False, comment="number of candidates of a search without a filter"
        ),
        sa.Column(
            "stretch", sa.Double(), nullable=False, comment="with a filter, ef_search is the number of candidates to this power"
        ),
        sa.Column("exact_us_per_row", sa.Double(), nullable=False),
        sa.Column("hnsw_us_per_candidate", sa.Double(), nullable=False),
        sa.Column(
            "crossover_rows",
            sa.BigInteger(),
            nullable=False,
            comment="for a filter with up to this many matches, comparing all matches is faster than the index",
        ),
        sa.Column("background_mean", sa.Double(), nullable=True, comment="similarity of queries to random products"),
        sa.Column("background_deviation", sa.Double(), nullable=True),
        sa.Column(
            "measured",
            postgresql.JSONB(),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="recall and time of each setting",
        ),
        sa.CheckConstraint("query_kind in ('text', 'image')", name=op.f("calibration_query_kind_check")),
        sa.CheckConstraint("ef_search between 1 and 1000", name=op.f("calibration_ef_search_check")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["shop.model.model_id"], name=op.f("calibration_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calibration_id", name=op.f("calibration_pkey")),
        schema="shop",
    )
    op.create_index(
        op.f("calibration_model_id_calibration_id_idx"), "calibration", ["model_id", "calibration_id"], schema="shop"
    )
    op.create_table(
        "common_word",
        sa.Column("word", sa.Text(), nullable=False, comment="a lexeme of shop.product.keywords"),
        sa.Column("share", sa.Double(), nullable=False, comment="share of the products, as of the last ANALYZE"),
        sa.PrimaryKeyConstraint("word", name=op.f("common_word_pkey")),
        schema="shop",
    )
    op.create_table(
        "tuning",
        sa.Column("model_id", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="the data of the fit, and how well the number fits",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["shop.model.model_id"], name=op.f("tuning_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "name", name=op.f("tuning_pkey")),
        schema="shop",
    )
    op.create_table(
        "judgement",
        sa.Column("judgement_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("suite", sa.Text(), server_default="default", nullable=False),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("picture", sa.LargeBinary(), nullable=True, comment="an image file's bytes"),
        sa.Column(
            "picture_sku",
            sa.Text(),
            nullable=True,
            comment="SKU of a product: its first image is the query, and the results exclude this product",
        ),
        sa.Column("catalog", sa.Text(), server_default="main", nullable=False),
        sa.Column("sku", sa.Text(), nullable=False, comment="the judged product"),
        sa.Column(
            "grade", sa.SmallInteger(), server_default="1", nullable=False, comment="0: wrong; 3: exactly right"
        ),
        sa.Column("judged_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column(
            "query_id",
            sa.Uuid(),
            sa.Computed("shop_private.query_id(query, picture, picture_sku)", persisted=True),
            nullable=False,
            comment="equal queries have the same id in every suite",
        ),
        sa.CheckConstraint("grade between 0 and 3", name=op.f("judgement_grade_check")),
        sa.CheckConstraint("num_nonnulls(picture, picture_sku) <= 1", name=op.f("judgement_one_picture_check")),
        sa.CheckConstraint("num_nonnulls(query, picture, picture_sku) >= 1", name=op.f("judgement_query_check")),
        sa.CheckConstraint("query ~ '\\S' and length(query) <= 10000", name=op.f("judgement_text_check")),
        sa.CheckConstraint("length(suite) between 1 and 100", name=op.f("judgement_suite_check")),
        sa.CheckConstraint(
            "length(sku) <= 200 and length(picture_sku) <= 200 and length(catalog) <= 63",
            name=op.f("judgement_bounded_check"),
        ),
        sa.PrimaryKeyConstraint("judgement_id", name=op.f("judgement_pkey")),
        sa.UniqueConstraint(
            "suite", "catalog", "query_id", "sku", name=op.f("judgement_suite_catalog_query_id_sku_key")
        ),
        schema="shop",
    )
    op.create_table(
        "evaluation",
        sa.Column("evaluation_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False, comment="number of the run that measured the row"),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column(
            "direction",
            sa.Text(),
            nullable=False,
            comment="query -> leg: text->image, text->title, text->keywords, text->hybrid, image->image ...",
        ),
        sa.Column("catalog", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False, comment="revision of the model"),
        sa.Column(
            "setting",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="weights, route, ef_search, filter",
        ),
        sa.Column(
            "selectivity", sa.Double(), nullable=True, comment="share of products that pass the filter; null: no filter"
        ),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column(
            "yardstick",
            sa.Text(),
            nullable=False,
            comment="a hash of the queries and judgements that were measured",
        ),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column(
            "metrics", postgresql.JSONB(), nullable=False, comment="name -> {value, low, high}: 95% bootstrap interval"
        ),
        sa.PrimaryKeyConstraint("evaluation_id", name=op.f("evaluation_pkey")),
        schema="shop",
    )
    op.create_index(op.f("evaluation_run_idx"), "evaluation", ["run"], schema="shop")
    op.create_table(
        "evaluation_query",
        sa.Column("evaluation_id", sa.BigInteger(), nullable=False),
        sa.Column("query_id", sa.Uuid(), nullable=False, comment="key of the query, as in shop.judgement"),
        sa.Column("query", sa.Text(), nullable=False, comment="the text, sku:..., or the picture's sha256"),
        sa.Column("results", postgresql.ARRAY(sa.Text()), nullable=False, comment="SKUs, best first"),
        sa.Column("metrics", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["shop.evaluation.evaluation_id"],
            name=op.f("evaluation_query_evaluation_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("evaluation_id", "query_id", name=op.f("evaluation_query_pkey")),
        schema="shop",
    )
    op.create_table(
        "event",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("visitor", sa.Text(), nullable=True, comment="the shop's own name of the visitor"),
        sa.Column("catalog", sa.Text(), server_default="main", nullable=False),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("results", sa.Integer(), nullable=True, comment="number of results of a search"),
        sa.Column("sku", sa.Text(), nullable=True, comment="the product that was clicked or bought"),
        sa.Column("rank", sa.Integer(), nullable=True, comment="rank of the product, from 1"),
        sa.CheckConstraint("kind in ('search', 'click', 'add_to_cart', 'purchase')", name=op.f("event_kind_check")),
        sa.CheckConstraint(
            "length(query) <= 10000 and length(sku) <= 200 and length(visitor) <= 200", name=op.f("event_bounded_check")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("event_pkey")),
        schema="shop",
    )
    op.create_index(op.f("event_at_idx"), "event", ["at"], schema="shop")


def downgrade() -> None:
    """Drop the functions. `windowshop db upgrade` of the earlier code creates the functions of the earlier revision."""
    op.execute(
        """
        do $$ declare r record; begin
            for r in select p.oid from pg_proc p
                     where p.pronamespace in ('shop'::regnamespace, 'shop_private'::regnamespace)
                       and p.proname not in ('product_id', 'keywords', 'query_id') and p.prokind <> 'p'
                       and not exists (select from pg_trigger t where t.tgfoid = p.oid) loop
                continue when not exists (select from pg_proc where oid = r.oid);  -- dropped by a cascade
                execute format('drop function %s cascade', r.oid::regprocedure);
            end loop;
        end $$"""
    )
    op.execute("drop trigger product_catalog on shop.product")
    op.execute("drop function shop_private.product_catalog()")
    op.execute("drop view shop.image_vector, shop.title_vector, shop.no_result_queries")
    for table in (
        "event", "evaluation_query", "evaluation", "judgement", "tuning", "common_word", "calibration", "catalog",
    ):  # fmt: skip
        op.drop_table(table, schema="shop")
    op.execute("drop function shop_private.query_id(text, bytea, text)")
    op.drop_index(op.f("product_brand_idx"), table_name="product", schema="shop")
    op.drop_index(op.f("product_image_phash_idx"), table_name="product_image", schema="shop")
    op.drop_index("product_title_trgm_idx", table_name="product", schema="shop")
    op.drop_index("product_attributes_idx", table_name="product", schema="shop")
    op.drop_column("product", "keywords", schema="shop")
    op.drop_column("product", "language", schema="shop")
    op.execute("drop type shop.match")
    op.execute("drop type shop.search_step")
    op.execute("drop type shop.search_result")
    op.execute("drop type shop_private.leg")
    op.execute("drop type shop_private.near")
    op.execute(
        """
        do $$ begin
            if not (select relrowsecurity from pg_class where oid = 'shop.product'::regclass) then
                alter table shop.product enable row level security;
                create policy everyone on shop.product using (true) with check (true);
            end if;
        end $$"""
    )
    op.execute("drop function shop_private.keywords(text, text, text, text, text, text, text, text, text, text, jsonb)")
