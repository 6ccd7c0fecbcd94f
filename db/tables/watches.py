"""Defines the tables of watches: the watches, their vectors, the products to compare with them, and their matches.

A watch is a stored search. The transaction that makes a product searchable compares the product with the watches of its
catalog, and stores the matches. `windowshop jobs` reports the matches to webhooks.
"""

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSQUERY

from db.tables.catalog import catalog, product
from db.tables.metadata import PRIVATE, SHOP, metadata
from db.tables.models import model
from db.tables.webhooks import webhook

_NOW = text("clock_timestamp()")

watch = Table(
    "watch",
    metadata,
    Column("watch_id", Integer, Identity(always=True), comment="the key of the watch"),
    Column(
        "catalog",
        Text,
        ForeignKey(catalog.c.catalog, ondelete="CASCADE"),
        nullable=False,
        comment="the catalog whose products are compared",
    ),
    Column("name", Text, nullable=False, comment="name of the watch, unique in its catalog"),
    Column("query", Text, comment="the text that a product must resemble, or whose words it must have"),
    Column("image", LargeBinary, comment="the image that a product must resemble"),
    Column("filter", JSONB, comment="the filter that a product must pass"),
    Column(
        "min_similarity", Double, comment="least cosine similarity of an image; null: a floor measured for the watch"
    ),
    Column("condition", Text, nullable=False, comment="the filter as an SQL condition"),
    Column("language", Text, comment="the language of the text; null: that of the catalog"),
    Column("words", TSQUERY, comment="the words of the text, stemmed in its language"),
    Column("created_by", Text, nullable=False, comment="the role that created the watch"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when it was created"),
    Column("disabled_at", DateTime(timezone=True), comment="since when nothing is compared; null: the watch is in use"),
    Column("error", Text, comment="why the watch is disabled"),
    PrimaryKeyConstraint("watch_id"),
    UniqueConstraint("catalog", "name"),
    CheckConstraint("name ~ '^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$'", name="name"),
    CheckConstraint("num_nonnulls(query, image, filter) > 0", name="search"),
    CheckConstraint("min_similarity between -1 and 1", name="min_similarity"),
    CheckConstraint("(disabled_at is null) = (error is null)", name="disabled"),
    schema=SHOP,
    comment="A row for each search whose new matches are reported.",
)

watch_match = Table(
    "watch_match",
    metadata,
    Column(
        "product_id", Uuid, ForeignKey(product.c.product_id, ondelete="CASCADE"), comment="the product that matches"
    ),
    Column("watch_id", Integer, ForeignKey(watch.c.watch_id, ondelete="CASCADE"), comment="the watch"),
    Column(
        "match_id",
        BigInteger,
        Identity(always=True),
        nullable=False,
        comment="ascends in the order in which the matches of a watch are committed",
    ),
    Column("image_similarity", Double, comment="cosine similarity of the nearest image; null if it is below the floor"),
    Column("title_similarity", Double, comment="cosine similarity of the title; null if it is below the floor"),
    Column("matched_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when it was found"),
    PrimaryKeyConstraint("product_id", "watch_id"),
    Index("watch_match_order", "watch_id", "match_id"),
    schema=SHOP,
    comment="A row for each product that a watch has found.",
)

# The floors are the least cosine similarities at which an image or a title matches. If the watch has a min_similarity,
# image_floor is that number, and title_floor is null. Otherwise both floors are measured. A floor is null while the
# catalog has too few vectors of images or titles to measure it.
watch_vector = Table(
    "watch_vector",
    metadata,
    Column("watch_id", Integer, ForeignKey(watch.c.watch_id, ondelete="CASCADE")),
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("embedding", HALFVEC, nullable=False),
    Column("image_floor", Double),
    Column("title_floor", Double),
    Column("measured_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("watch_id", "model_id"),
    schema=PRIVATE,
)

# The number of matches that were stored for a watch, including matches that were deleted later. If this number exceeds
# the limit, watch_renew counts the matches that remain. If even these are too many, watch_renew disables the watch.
# Otherwise it stores the number of the matches that remain. The table is private, because the role of a watch may see
# fewer products than match.
watch_count = Table(
    "watch_count",
    metadata,
    Column("watch_id", Integer, ForeignKey(watch.c.watch_id, ondelete="CASCADE")),
    Column("matches", BigInteger, nullable=False),
    PrimaryKeyConstraint("watch_id"),
    schema=PRIVATE,
)

# Transactions that store vectors of the same product lock its note. So they run one after another, and the last one
# sees all vectors of the product. Notes stay only for products that must be compared later.
watch_note = Table(
    "watch_note",
    metadata,
    Column("product_id", Uuid),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("product_id"),
    schema=PRIVATE,
)

# The matches that are not yet in a message to a webhook.
watch_report = Table(
    "watch_report",
    metadata,
    Column("product_id", Uuid),
    Column("watch_id", Integer),
    Column("webhook_id", Integer, ForeignKey(webhook.c.webhook_id, ondelete="CASCADE")),
    PrimaryKeyConstraint("product_id", "watch_id", "webhook_id"),
    Index(None, "webhook_id"),
    ForeignKeyConstraint(
        ["product_id", "watch_id"], [watch_match.c.product_id, watch_match.c.watch_id], ondelete="CASCADE"
    ),
    schema=PRIVATE,
)
