"""Products, their images, and the folders of the images."""

from sqlalchemy import (
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
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import BIT, JSONB, TSVECTOR

from db.tables.metadata import PRIVATE, SHOP, metadata

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
    # The keys under which a search finds a product that its text names.
    Index(
        "product_identifier_idx",
        text("shop_private.identifier_keys(sku, gtin, mpn, attributes)"),
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    ),
    Index("product_brand_key_idx", text("shop_private.identifier_key(brand)"), "catalog"),
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
    # Paths never leave their root, even if the row does not come from the loader.
    CheckConstraint(
        "case when image_root_id is null then uri ~ '^(https?|s3|gs)://' "
        r"else uri !~ '(^/|(^|/)\.\.(/|$)|\\|^[a-z]+:)' and length(uri) between 1 and 1000 end",
        name="uri",
    ),
    Index(None, "phash", postgresql_where=text("position = 0")),  # equal first images
    Index(None, "sha256"),  # identical files: encoded once
    schema=SHOP,
)
