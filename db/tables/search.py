"""Defines the tables of encoded queries, of requests to encode a query, and of the figures that control search."""

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from db.tables.metadata import PRIVATE, SHOP, metadata
from db.tables.models import model

_NOW = text("clock_timestamp()")

query_embedding = Table(
    "query_embedding",
    metadata,
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("key", LargeBinary, comment="sha256 of kind and payload"),
    Column("query", Text, comment="the text, for kind t"),
    Column("embedding", HALFVEC, nullable=False),  # without a dimension, because models differ in it
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

calibration = Table(
    "calibration",
    metadata,
    Column("calibration_id", BigInteger, Identity(always=True)),
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE"), nullable=False),
    Column("calibrated_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("products", BigInteger, nullable=False, comment="encoded products at that time"),
    Column("k", Integer, nullable=False),
    Column("target_recall", Double, nullable=False),
    Column("recall", Double, comment="reached with ef_search; null: too few products for an index to matter"),
    Column("queries", Integer, nullable=False),
    Column("query_kind", Text, nullable=False),
    Column("ef_search", Integer, nullable=False, comment="for an unfiltered top k"),
    Column(
        "slack",
        Double,
        nullable=False,
        comment="filtered: the nearest have settled when a fresh candidate is farther than the k-th by so much",
    ),
    Column("exact_us_per_row", Double, nullable=False),
    Column("hnsw_us_per_candidate", Double, nullable=False),
    Column(
        "crossover_rows", BigInteger, nullable=False, comment="up to so many matches, exact is the faster way for sure"
    ),
    Column("background_mean", Double, comment="similarity of queries to random products"),
    Column("background_deviation", Double),
    Column("measured", JSONB, nullable=False, server_default=text("'[]'"), comment="recall and time of each setting"),
    PrimaryKeyConstraint("calibration_id"),
    CheckConstraint("query_kind in ('text', 'image')", name="query_kind"),
    CheckConstraint("ef_search between 1 and 1000", name="ef_search"),
    Index(None, "model_id", "calibration_id"),
    schema=SHOP,
)

# A row is a word that is in too many products for the keyword leg to scan. Such words rank candidates but find none.

common_word = Table(
    "common_word",
    metadata,
    Column("word", Text, comment="a lexeme of shop.product.keywords"),
    Column("share", Double, nullable=False, comment="of all products, as the last ANALYZE saw it"),
    PrimaryKeyConstraint("word"),
    schema=SHOP,
)

# A row is a number that was fitted for a model: a fusion weight, a temperature or a threshold.

tuning = Table(
    "tuning",
    metadata,
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("name", Text),
    Column("value", Double, nullable=False),
    Column("fitted_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'"), comment="on what, and how well it fits"),
    PrimaryKeyConstraint("model_id", "name"),
    schema=SHOP,
)
