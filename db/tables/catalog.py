"""Defines the tables of catalogs, of products and their images, and of the folders of the images."""

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

# The name of a scheme, except http, https, s3 and gs. The pattern allows control characters and blanks in front of and
# inside such a name, because browsers ignore some of them.
OTHER_SCHEME = r"^[\u0001-\u0020]*(?!(https?|s3|gs)://)[a-z][a-z0-9+\u0001-\u0020-]*:"

product = Table(
    "product",
    metadata,
    Column("product_id", Uuid, comment="shop.product_id(sku, catalog)"),
    Column("catalog", Text, nullable=False, server_default="main", comment="the catalog that the product belongs to"),
    Column("sku", Text, nullable=False, comment="the shop's own name of the product, unique in its catalog"),
    Column("title", Text, nullable=False, comment="name of the product, 1 to 2,000 characters"),
    Column("description", Text, comment="plain text"),
    Column("brand", Text, comment="brand or manufacturer"),
    Column("product_type", Text, comment="the shop's own category"),
    Column("price", Numeric(12, 2), comment="not negative, in the currency of the product"),
    Column("currency", Text, comment="ISO 4217 code of the price, such as EUR"),
    Column("availability", Text, comment="in_stock, out_of_stock, preorder or backorder"),
    Column("gtin", Text, comment="EAN, UPC or ISBN; the loader removes blanks and hyphens"),
    Column("mpn", Text, comment="the manufacturer's part number"),
    Column("item_group_id", Text, comment="the same for all variants of a product"),
    Column("link", Text, comment="address of the product's page in the shop"),
    Column("image_link", Text, comment="address of the first image, as the feed gave it"),
    Column("color", Text, comment="as the feed wrote it"),
    Column("size", Text, comment="as the feed wrote it"),
    Column("material", Text, comment="as the feed wrote it"),
    Column("condition", Text, comment="such as new, used or refurbished"),
    Column(
        "attributes",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="further fields of the feed, a JSON object",
    ),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="when the row was inserted",
    ),
    Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="when a field last changed",
    ),
    Column(
        "language",
        Text,
        nullable=False,
        server_default="english",
        comment="text search configuration of the keywords: by the attribute content_language, or else the catalog's",
    ),
    Column(
        "keywords",
        TSVECTOR,
        Computed(
            "shop_private.keywords(language, sku, title, brand, product_type, color, material, gtin, mpn, "
            "description, attributes)",
            persisted=True,
        ),
        nullable=False,
        comment="the words that the keyword leg of shop.search finds",
    ),
    Column("sale_price", Numeric(12, 2), comment="price while the sale is on, in the currency of the product"),
    Column("sale_starts_at", DateTime(timezone=True), comment="when the sale begins; null: it has begun"),
    Column("sale_ends_at", DateTime(timezone=True), comment="last moment of the sale; null: it has no end"),
    Column("compare_at_price", Numeric(12, 2), comment="earlier or recommended price, shown beside the price"),
    Column("quantity", Integer, comment="stock as the feed gave it; negative if the shop sold more than it had"),
    Column("rating", Numeric(3, 2), comment="average rating of customers, 0 to 5"),
    Column("review_count", Integer, comment="number of ratings or reviews"),
    Column("published_at", DateTime(timezone=True), comment="when the shop published the product"),
    PrimaryKeyConstraint("product_id"),
    CheckConstraint("product_id = shop.product_id(sku, catalog)", name="identity"),
    CheckConstraint("catalog ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name="catalog"),
    CheckConstraint("length(sku) between 1 and 200", name="sku"),
    CheckConstraint("length(title) between 1 and 2000", name="title"),
    CheckConstraint("price >= 0 and price <> 'NaN'", name="price"),
    CheckConstraint("sale_price >= 0 and sale_price <> 'NaN'", name="sale_price"),
    CheckConstraint("compare_at_price >= 0 and compare_at_price <> 'NaN'", name="compare_at_price"),
    CheckConstraint("rating between 0 and 5", name="rating"),
    CheckConstraint("review_count >= 0", name="review_count"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint("availability in ('in_stock', 'out_of_stock', 'preorder', 'backorder')", name="availability"),
    CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),
    CheckConstraint("not jsonb_path_exists(attributes, '$.**{21}')", name="depth"),
    # Pages link to these addresses, so an address must not run a script (javascript:). The same pattern is in
    # db/catalog/values.py.
    CheckConstraint(f"link !~* '{OTHER_SCHEME}' and image_link !~* '{OTHER_SCHEME}'", name="address"),
    Index(None, "product_type"),
    Index("product_price_idx", "price", "product_id"),  # shop.browse reads this index
    Index("product_sale_price_idx", "sale_price", "product_id", postgresql_where=text("sale_price is not null")),
    Index(None, "brand"),
    Index("product_currency_idx", "catalog", "currency"),  # tells whether a catalog has several currencies
    # shop.suggest finds titles by their first 60 characters. A whole title would be too long for an index.
    # The index has the collation C, which alembic does not compare.
    Index("product_title_start_idx", "catalog", text('"left"(shop_private.fold(title), 60)')),
    Index(None, "item_group_id", postgresql_where=text("item_group_id is not null")),
    Index(
        "product_attributes_idx", "attributes", postgresql_using="gin", postgresql_ops={"attributes": "jsonb_path_ops"}
    ),
    Index("product_keywords_idx", "keywords", postgresql_using="gin"),
    # This index contains the identifiers, such as SKU and GTIN, by which a search finds the products that its text
    # names.
    Index(
        "product_identifier_idx",
        text("shop_private.identifier_keys(sku, gtin, mpn, attributes)"),
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    ),
    Index("product_brand_key_idx", text("shop_private.identifier_key(brand)"), "catalog"),
    Index("product_title_trgm_idx", "title", postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"}),
    schema=SHOP,
    comment="A row for each product of each catalog.",
)

catalog = Table(
    "catalog",
    metadata,
    Column("catalog", Text, comment="name of the catalog; the row stays when the last product is deleted"),
    Column(
        "language",
        Text,
        nullable=False,
        server_default="english",
        comment="the text search configuration of the catalog's products; shop.set_language changes the language",
    ),
    PrimaryKeyConstraint("catalog"),
    schema=SHOP,
    comment="A row for each catalog.",
)

image_root = Table(
    "image_root",
    metadata,
    Column("image_root_id", SmallInteger, Identity(always=True)),
    Column(
        "folder", Text, nullable=False, unique=True, comment="absolute path of the folder on the machines that encode"
    ),
    PrimaryKeyConstraint("image_root_id"),
    schema=PRIVATE,
)

product_image = Table(
    "product_image",
    metadata,
    Column("product_id", Uuid, comment="key of the product"),
    Column("position", SmallInteger, comment="place among the images of the product, from 0, the main image, to 99"),
    Column(
        "image_root_id",
        SmallInteger,
        ForeignKey(image_root.c.image_root_id),
        comment="the folder that contains the file; null if uri is an absolute address",
    ),
    Column(
        "uri",
        Text,
        nullable=False,
        comment="path below the folder of image_root_id; if image_root_id is null, an absolute address",
    ),
    Column("sha256", LargeBinary, comment="SHA-256 of the file, known once the image is encoded"),
    Column(
        "file_version",
        Text,
        comment="size and times of the file at the last load that found the file; null for an address",
    ),
    Column("phash", BIT(64), comment="perceptual hash: copies of an image differ in few of the 64 bits"),
    Column("width", Integer, comment="in pixels"),
    Column("height", Integer, comment="in pixels"),
    PrimaryKeyConstraint("product_id", "position"),
    ForeignKeyConstraint(["product_id"], [product.c.product_id], ondelete="CASCADE"),
    CheckConstraint("position between 0 and 99", name="position"),
    CheckConstraint("length(sha256) = 32", name="sha256"),
    # The constraint keeps every path below its root, even if a program other than the loader writes the row.
    CheckConstraint(
        "case when image_root_id is null then uri ~ '^(https?|s3|gs)://' "
        r"else uri !~ '(^/|(^|/)\.\.(/|$)|\\|^[a-z]+:)' and length(uri) between 1 and 1000 end",
        name="uri",
    ),
    Index(None, "phash", postgresql_where=text("position = 0")),  # finds products with equal first images
    Index(None, "sha256"),  # finds identical files, whose vectors are copied
    schema=SHOP,
    comment="A row for each image of each product.",
)
