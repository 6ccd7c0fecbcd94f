"""Defines the tables of what a shop adds to the ranking: signals and rules."""

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
    Interval,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.catalog import product
from db.tables.metadata import SHOP, metadata

_NOW = text("clock_timestamp()")

signal = Table(
    "signal",
    metadata,
    Column("name", Text, comment="name of the signal, and of its function in schema shop_signals"),
    Column("source", Text, comment="the view or table that has the number; null: a built-in signal"),
    Column("value_column", Text, comment="the column with the number"),
    Column("key", Text, comment="the column that names the product: product_id or sku"),
    Column("catalog", Text, comment="the catalog of all rows; null: each row names its catalog or its product_id"),
    Column("normalise", Text, comment="how the number is mapped to 0 to 1: percentile, log or decay"),
    Column("half_life", Interval, comment="the age that halves the value of a signal with normalise decay"),
    Column(
        "weight",
        Double,
        nullable=False,
        server_default="0",
        comment="weight in every search that names no other weight",
    ),
    Column(
        "visible",
        Text,
        nullable=False,
        server_default="all",
        comment="staff: only the role app sees the contribution of the signal",
    ),
    Column("defined_by", Text, comment="the role with whose rights the signal is read; null: a built-in signal"),
    Column("bounds", ARRAY(Double), comment="101 quantiles of the negated numbers, ascending"),
    Column("refreshed_at", DateTime(timezone=True), comment="when bounds, or the popularity, were last computed"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when it was added"),
    PrimaryKeyConstraint("name"),
    CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,39}$'", name="name"),
    CheckConstraint("weight between -10 and 10", name="weight"),  # max_signal_weight of db/functions/constants.py
    CheckConstraint("visible = 'all' or visible = 'staff' and defined_by is not null", name="visible"),
    schema=SHOP,
    comment="Numbers by which searches rank products: built-in ones and those of shop.add_signal.",
)

popularity = Table(
    "popularity",
    metadata,
    Column("product_id", Uuid, ForeignKey(product.c.product_id, ondelete="CASCADE"), comment="key of the product"),
    Column("points", Double, nullable=False, comment="the events of the product, newer ones counting more"),
    Column(
        "value",
        Double,
        nullable=False,
        comment="among the catalog's products with events, the share that has at most as many points",
    ),
    PrimaryKeyConstraint("product_id"),
    schema=SHOP,
    comment="How much visitors used each product, as of the last shop.refresh_signals.",
)

rule = Table(
    "rule",
    metadata,
    Column("rule_id", BigInteger, Identity(always=True), comment="the key of the rule"),
    Column("name", Text, nullable=False, comment="the name that results show"),
    Column(
        "catalog", Text, nullable=False, server_default="main", comment="the catalog whose searches the rule changes"
    ),
    Column("status", Text, nullable=False, server_default="draft", comment="draft, or live: searches follow the rule"),
    Column("priority", Integer, nullable=False, server_default="0", comment="a rule with a higher number comes first"),
    Column("valid_from", DateTime(timezone=True), comment="when the rule begins; null: it has begun"),
    Column("valid_to", DateTime(timezone=True), comment="when the rule ends; null: it has no end"),
    Column("condition", JSONB, nullable=False, comment='when the rule applies, such as {"query": "red shoes"}'),
    Column("action", JSONB, nullable=False, comment='what the rule does, such as {"pin": "A-17", "at": 1}'),
    Column("lookup", Text, nullable=False, server_default="", comment="the key by which a search finds the rule"),
    Column("target_id", Uuid, comment="key of the product that the rule pins or hides"),
    Column("vector", HALFVEC, comment="vector of the text in a condition of the kind similar"),
    Column("model_id", SmallInteger, comment="the model that computed vector"),
    Column(
        "updated_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when it was last saved"
    ),
    PrimaryKeyConstraint("rule_id"),
    UniqueConstraint("catalog", "name"),
    CheckConstraint("name ~ '\\S' and length(name) <= 100", name="name"),
    CheckConstraint("status in ('draft', 'live')", name="status"),
    Index(None, "catalog", "lookup"),
    schema=SHOP,
    comment="How a shop changes its searches: pins, hidden products, boosts, other queries, redirects, banners.",
)
