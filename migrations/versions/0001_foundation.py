"""Creates the tables of products, images, models, the work list, the query cache and the request queue."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = ("project",)
depends_on = None

MODEL_STATUS = postgresql.ENUM("building", "serving", "retired", name="model_status", schema="shop", create_type=False)
WORK_STATE = postgresql.ENUM(
    "pending", "leased", "quarantined", name="work_state", schema="shop_private", create_type=False
)
PART = postgresql.ENUM("image", "title", name="part", schema="shop_private", create_type=False)


def upgrade() -> None:
    # A check constraint and the id of every product depend on this function, so a revision defines it.
    op.execute(
        """
        create function shop.product_id(sku text, catalog text default 'main') returns uuid
        language sql immutable strict parallel safe set search_path = pg_catalog as $$
            select encode(substr(sha256(convert_to(catalog || chr(31) || sku, 'UTF8')), 1, 16), 'hex')::uuid
        $$"""
    )
    for kind in (MODEL_STATUS, WORK_STATE, PART):
        op.execute(postgresql.CreateEnumType(kind))
    op.create_table(
        "model",
        sa.Column("model_id", sa.SmallInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="'starter', a hub name, or a folder"),
        sa.Column("revision", sa.Text(), nullable=False, comment="identifies the weights: a commit or a content hash"),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("status", MODEL_STATUS, server_default="building", nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,39}$'", name=op.f("model_name_check")),
        sa.CheckConstraint("dimension between 1 and 4000", name=op.f("model_dimension_check")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("model_pkey")),
        sa.UniqueConstraint("name", name=op.f("model_name_key")),
        schema="shop",
    )
    op.create_index(
        "model_one_serving",
        "model",
        ["status"],
        unique=True,
        schema="shop",
        postgresql_where=sa.text("status = 'serving'"),
    )
    op.create_table(
        "product",
        sa.Column("product_id", sa.Uuid(), nullable=False, comment="shop.product_id(sku, catalog)"),
        sa.Column("catalog", sa.Text(), server_default="main", nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("product_type", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("availability", sa.Text(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("mpn", sa.Text(), nullable=True),
        sa.Column("item_group_id", sa.Text(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("image_link", sa.Text(), nullable=True),
        sa.Column("color", sa.Text(), nullable=True),
        sa.Column("size", sa.Text(), nullable=True),
        sa.Column("material", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "availability in ('in_stock', 'out_of_stock', 'preorder', 'backorder')",
            name=op.f("product_availability_check"),
        ),
        sa.CheckConstraint("catalog ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name=op.f("product_catalog_check")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("product_currency_check")),
        sa.CheckConstraint("jsonb_typeof(attributes) = 'object'", name=op.f("product_attributes_check")),
        sa.CheckConstraint("price >= 0 and price <> 'NaN'", name=op.f("product_price_check")),
        sa.CheckConstraint("length(sku) between 1 and 200", name=op.f("product_sku_check")),
        sa.CheckConstraint("length(title) between 1 and 2000", name=op.f("product_title_check")),
        sa.CheckConstraint("product_id = shop.product_id(sku, catalog)", name=op.f("product_identity_check")),
        sa.PrimaryKeyConstraint("product_id", name=op.f("product_pkey")),
        schema="shop",
    )
    op.create_index(op.f("product_price_idx"), "product", ["price"], unique=False, schema="shop")
    op.create_index(op.f("product_product_type_idx"), "product", ["product_type"], unique=False, schema="shop")
    op.create_table(
        "image_root",
        sa.Column("image_root_id", sa.SmallInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False, comment="absolute path on the machines that encode"),
        sa.PrimaryKeyConstraint("image_root_id", name=op.f("image_root_pkey")),
        sa.UniqueConstraint("folder", name=op.f("image_root_folder_key")),
        schema="shop_private",
    )
    op.create_table(
        "request",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model_id", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="t: UTF-8 text; i: an image file's bytes"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("kind in ('t', 'i')", name=op.f("request_kind_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("request_pkey")),
        schema="shop_private",
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "worker",
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "heartbeat_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "lease_expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the lease of all items that the worker has claimed expires",
        ),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("worker_pkey")),
        schema="shop_private",
    )
    op.create_table(
        "product_image",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("image_root_id", sa.SmallInteger(), nullable=True),
        sa.Column(
            "uri", sa.Text(), nullable=False, comment="path below the image root; without a root, an absolute URI"
        ),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("phash", postgresql.BIT(length=64), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "case when image_root_id is null then uri ~ '^(https?|s3|gs)://' else uri !~ '(^/|(^|/)\\.\\.(/|$)|\\\\|^[a-z]+:)' and length(uri) between 1 and 1000 end",
            name=op.f("product_image_uri_check"),
        ),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("product_image_sha256_check")),
        sa.CheckConstraint("position between 0 and 99", name=op.f("product_image_position_check")),
        sa.ForeignKeyConstraint(
            ["image_root_id"], ["shop_private.image_root.image_root_id"], name=op.f("product_image_image_root_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["shop.product.product_id"], name=op.f("product_image_product_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "position", name=op.f("product_image_pkey")),
        schema="shop",
    )
    op.create_table(
        "query_embedding",
        sa.Column("model_id", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="sha256 of kind and payload"),
        sa.Column("query", sa.Text(), nullable=True, comment="the text, for kind t"),
        sa.Column("embedding", HALFVEC(), nullable=False),
        sa.Column("asked", sa.Integer(), server_default="1", nullable=False, comment="number of cache misses"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["shop.model.model_id"], name=op.f("query_embedding_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "key", name=op.f("query_embedding_pkey")),
        schema="shop_private",
    )
    op.create_index(
        op.f("query_embedding_created_at_idx"), "query_embedding", ["created_at"], unique=False, schema="shop_private"
    )
    op.create_table(
        "work",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.SmallInteger(), nullable=False),
        sa.Column("part", PART, nullable=False),
        sa.Column("position", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("state", WORK_STATE, server_default="pending", nullable=False),
        sa.Column("solo", sa.Integer(), server_default="0", nullable=False, comment="0: in a batch; 1: alone"),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False, comment="attempts that began alone"),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'leased') = (worker_id is not null)", name=op.f("work_lease_check")),
        sa.CheckConstraint("state <> 'quarantined' or error is not null", name=op.f("work_quarantine_check")),
        sa.CheckConstraint("solo in (0, 1)", name=op.f("work_solo_check")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["shop.model.model_id"], name=op.f("work_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["shop.product.product_id"], name=op.f("work_product_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "model_id", "part", "position", name=op.f("work_pkey")),
        schema="shop_private",
    )
    op.create_index(
        "work_due_idx",
        "work",
        ["model_id", "part", "solo", "due_at"],
        unique=False,
        schema="shop_private",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "work_leased_idx",
        "work",
        ["worker_id"],
        unique=False,
        schema="shop_private",
        postgresql_where=sa.text("state = 'leased'"),
    )
    op.execute("alter table shop.product enable row level security")
    op.execute("create policy everyone on shop.product using (true) with check (true)")
    # Rows are inserted into and deleted from these two tables all the time, so autovacuum runs more often on them.
    for table in ("work", "request"):
        op.execute(
            f"alter table shop_private.{table} set (autovacuum_vacuum_scale_factor = 0.02, "
            "autovacuum_vacuum_threshold = 1000)"
        )


def downgrade() -> None:
    """Drop everything in both schemas. The site's revisions, which are undone before, have dropped the vectors."""
    op.execute("drop view if exists shop.popular_queries, shop.coverage, shop.searchable, shop.searchable_image")
    op.execute(
        """
        do $$ declare r record; begin
            for r in select p.oid::regprocedure as name, p.prokind from pg_proc p
                     where p.pronamespace in ('shop'::regnamespace, 'shop_private'::regnamespace)
                       and p.proname <> 'product_id' loop
                execute format('drop %s %s cascade', case r.prokind when 'p' then 'procedure' else 'function' end, r.name);
            end loop;
        end $$"""
    )
    for table in ("query_embedding", "work", "request", "worker"):
        op.drop_table(table, schema="shop_private")
    for table in ("product_image", "product", "model"):
        op.drop_table(table, schema="shop")
    op.drop_table("image_root", schema="shop_private")
    for kind in (PART, WORK_STATE, MODEL_STATUS):
        kind.drop(op.get_bind())
    op.execute("drop function shop.product_id(text, text)")
