"""The tables, as SQLAlchemy Core. Alembic compares a database with this; reads are written on it.

The two embedding tables of each model are not here: a migration operation makes them when the model is added
(`migrations/operations.py`), so their number and dimensions belong to the site. `product_id` leads every key of a
product-keyed table, so that a table can be distributed by it later.
"""

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIT, ENUM, JSONB, TSVECTOR

SHOP = "shop"
PRIVATE = "shop_private"

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


# building: vectors are filled and kept current; serving: queries meet its vectors; retired: its tables are gone.
# building -> serving (promote) -> building (another one is promoted) -> retired -> building (added again)
model_status = ENUM("building", "serving", "retired", name="model_status", schema=SHOP, metadata=metadata)

# pending -> leased (claim) -> row deleted (complete: the vector is stored in the same transaction)
# leased -> pending, solo (lease ran out) ; leased -> pending, later (a fault of its own that may pass) ; leased ->
# quarantined (third attempt, or an item that can never be encoded) ; any -> pending (title or picture changed, or an
# operator retries)
work_state = ENUM("pending", "leased", "quarantined", name="work_state", schema=PRIVATE, metadata=metadata)

part = ENUM("image", "title", name="part", schema=PRIVATE, metadata=metadata)

product = Table(
    "product",
    metadata,
    Column("product_id", Uuid, comment="shop.product_id(sku, catalog)"),
    Column("catalog", Text, nullable=False, server_default="main"),
    Column("sku", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("brand", Text),
    Column("product_type", Text),
    Column("price", Numeric(12, 2)),
    Column("currency", Text),
    Column("availability", Text),
    Column("gtin", Text),
    Column("mpn", Text),
    Column("item_group_id", Text),
    Column("link", Text),
    Column("image_link", Text),
    Column("color", Text),
    Column("size", Text),
    Column("material", Text),
    Column("condition", Text),
    Column("attributes", JSONB, nullable=False, server_default=text("'{}'")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("language", Text, nullable=False, server_default="english", comment="a text search configuration"),
    Column(
        "keywords",
        TSVECTOR,
        Computed(
            "shop_private.keywords(language, sku, title, brand, product_type, color, material, gtin, mpn, "
            "description, attributes)",
            persisted=True,
        ),
        nullable=False,
    ),
    PrimaryKeyConstraint("product_id"),
    CheckConstraint("product_id = shop.product_id(sku, catalog)", name="identity"),
    CheckConstraint("catalog ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name="catalog"),
    CheckConstraint("length(sku) between 1 and 200", name="sku"),
    CheckConstraint("length(title) between 1 and 2000", name="title"),
    CheckConstraint("price >= 0 and price <> 'NaN'", name="price"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint("availability in ('in_stock', 'out_of_stock', 'preorder', 'backorder')", name="availability"),
    CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),
    Index(None, "product_type"),
    Index(None, "price"),
    Index(None, "brand"),
    Index(
        "product_attributes_idx", "attributes", postgresql_using="gin", postgresql_ops={"attributes": "jsonb_path_ops"}
    ),
    Index("product_keywords_idx", "keywords", postgresql_using="gin"),
    Index("product_title_trgm_idx", "title", postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"}),
    schema=SHOP,
)

catalog = Table(
    "catalog",
    metadata,
    Column("catalog", Text, comment="a catalog some product was ever in"),
    Column("language", Text, nullable=False, server_default="english", comment="of its titles"),
    PrimaryKeyConstraint("catalog"),
    schema=SHOP,
)

image_root = Table(
    "image_root",
    metadata,
    Column("image_root_id", SmallInteger, Identity(always=True)),
    Column("folder", Text, nullable=False, unique=True, comment="absolute path on the machines that encode"),
    PrimaryKeyConstraint("image_root_id"),
    schema=PRIVATE,
)

product_image = Table(
    "product_image",
    metadata,
    Column("product_id", Uuid),
    Column("position", SmallInteger),
    Column("image_root_id", SmallInteger, ForeignKey(image_root.c.image_root_id)),
    Column("uri", Text, nullable=False, comment="a path below the image root, or an absolute URI without one"),
    Column("sha256", LargeBinary),
    Column("phash", BIT(64)),
    Column("width", Integer),
    Column("height", Integer),
    PrimaryKeyConstraint("product_id", "position"),
    ForeignKeyConstraint(["product_id"], [product.c.product_id], ondelete="CASCADE"),
    CheckConstraint("position between 0 and 99", name="position"),
    CheckConstraint("length(sha256) = 32", name="sha256"),
    # Paths never leave their root, whoever writes the row.
    CheckConstraint(
        "case when image_root_id is null then uri ~ '^(https?|s3|gs)://' "
        r"else uri !~ '(^/|(^|/)\.\.(/|$)|\\|^[a-z]+:)' and length(uri) between 1 and 1000 end",
        name="uri",
    ),
    Index(None, "phash", postgresql_where=text("position = 0")),  # equal first pictures
    Index(None, "sha256"),  # identical files: encoded once
    schema=SHOP,
)

model = Table(
    "model",
    metadata,
    Column("model_id", SmallInteger, Identity(always=True)),
    Column("name", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False, comment="'starter', a hub name, or a folder"),
    Column("revision", Text, nullable=False, comment="what the weights are: a commit or a content hash"),
    Column("dimension", Integer, nullable=False),
    Column("status", model_status, nullable=False, server_default="building"),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("model_id"),
    CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,39}$'", name="name"),
    CheckConstraint("dimension between 1 and 4000", name="dimension"),
    Index("model_one_serving", "status", unique=True, postgresql_where=text("status = 'serving'")),
    schema=SHOP,
)

# Which model served from when on: the way back.
serving_history = Table(
    "serving_history",
    metadata,
    Column("serving_id", BigInteger, Identity(always=True)),
    Column("model", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    PrimaryKeyConstraint("serving_id"),
    schema=SHOP,
)

# Left out while their table is filled for the first time; built, and struck off, once it is.
deferred_index = Table(
    "deferred_index",
    metadata,
    Column("name", Text),
    Column("table_name", Text, nullable=False),
    Column("definition", Text, nullable=False, comment="CREATE INDEX ..."),
    Column("deferred_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    PrimaryKeyConstraint("name"),
    schema=SHOP,
)

worker = Table(
    "worker",
    metadata,
    Column("worker_id", Uuid),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("heartbeat_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("lease_expires_at", DateTime(timezone=True), nullable=False, comment="of everything this worker holds"),
    PrimaryKeyConstraint("worker_id"),
    schema=PRIVATE,
)

work = Table(
    "work",
    metadata,
    Column("product_id", Uuid),
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("part", part),
    Column("position", SmallInteger, server_default="0"),
    Column("state", work_state, nullable=False, server_default="pending"),
    Column("solo", Integer, nullable=False, server_default="0", comment="0: in a batch; 1: alone"),
    Column(
        "attempts",
        SmallInteger,
        nullable=False,
        server_default="0",
        comment="attempts begun alone, or failed among others",
    ),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("worker_id", Uuid),
    Column("error", Text),
    PrimaryKeyConstraint("product_id", "model_id", "part", "position"),
    ForeignKeyConstraint(["product_id"], [product.c.product_id], ondelete="CASCADE"),
    CheckConstraint("(state = 'leased') = (worker_id is not null)", name="lease"),
    CheckConstraint("state <> 'quarantined' or error is not null", name="quarantine"),
    CheckConstraint("solo in (0, 1)", name="solo"),
    Index(
        "work_due_idx", "model_id", "part", "solo", "due_at", postgresql_where=text("state = 'pending'")
    ),  # the next batch, oldest first
    Index("work_leased_idx", "worker_id", postgresql_where=text("state = 'leased'")),  # what a dead worker held
    schema=PRIVATE,
)

query_embedding = Table(
    "query_embedding",
    metadata,
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("key", LargeBinary, comment="sha256 of kind and payload"),
    Column("query", Text, comment="the text, for kind t"),
    Column("embedding", HALFVEC, nullable=False),  # no dimension: every model's queries
    Column("asked", Integer, nullable=False, server_default="1", comment="misses that led to this entry"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    PrimaryKeyConstraint("model_id", "key"),
    Index(None, "created_at"),
    schema=PRIVATE,
)

request = Table(
    "request",
    metadata,
    Column("id", BigInteger, Identity(always=True)),
    Column("model_id", SmallInteger, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False, comment="t: UTF-8 text; i: an image file's bytes"),
    Column("payload", LargeBinary, nullable=False),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    PrimaryKeyConstraint("id"),
    CheckConstraint("kind in ('t', 'i')", name="kind"),
    schema=PRIVATE,
    prefixes=["UNLOGGED"],
)

api_key = Table(
    "api_key",
    metadata,
    Column("api_key_id", Integer, Identity(always=True)),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, comment="sha256 of the token"),
    Column("scopes", ARRAY(Text), nullable=False, comment="search, write; admin: all of it"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("last_used_at", DateTime(timezone=True), comment="to the minute"),
    Column("revoked_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("api_key_id"),
    UniqueConstraint("hash"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name="name"),
    CheckConstraint("length(hash) = 32", name="hash"),
    CheckConstraint("cardinality(scopes) > 0 and scopes <@ array['search', 'write', 'admin']", name="scopes"),
    Index("api_key_one_in_force", "name", unique=True, postgresql_where=text("revoked_at is null")),
    schema=PRIVATE,
)
