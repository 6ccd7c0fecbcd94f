"""Defines the tables of judgements, of evaluations of search, and of shoppers' events."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
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
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.metadata import SHOP, metadata

_NOW = text("clock_timestamp()")

# A row is the grade that a person gave: how well a product answers a query. A query is a text, an image, or both. A
# product is judged once for each query of a suite.
judgement = Table(
    "judgement",
    metadata,
    Column("judgement_id", BigInteger, Identity(always=True)),
    Column("suite", Text, nullable=False, server_default="default"),
    Column("query", Text),
    Column("picture", LargeBinary, comment="an image file's bytes"),
    Column("picture_sku", Text, comment="or the first picture of this product, which is then left out of the results"),
    Column("catalog", Text, nullable=False, server_default="main"),
    Column("sku", Text, nullable=False, comment="the judged product"),
    Column("grade", SmallInteger, nullable=False, server_default="1", comment="0: wrong; 3: exactly what was meant"),
    Column("judged_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column(
        "query_id",
        Uuid,
        Computed("shop_private.query_id(query, picture, picture_sku)", persisted=True),
        nullable=False,
        comment="the same for the same query, in every suite",
    ),
    PrimaryKeyConstraint("judgement_id"),
    UniqueConstraint("suite", "catalog", "query_id", "sku"),
    CheckConstraint("grade between 0 and 3", name="grade"),
    CheckConstraint("num_nonnulls(picture, picture_sku) <= 1", name="one_picture"),
    CheckConstraint("num_nonnulls(query, picture, picture_sku) >= 1", name="query"),
    CheckConstraint("query ~ '\\S' and length(query) <= 10000", name="text"),
    CheckConstraint("length(suite) between 1 and 100", name="suite"),
    CheckConstraint("length(sku) <= 200 and length(picture_sku) <= 200 and length(catalog) <= 63", name="bounded"),
    schema=SHOP,
)

# There is a row for each suite, direction and setting that a run measured.
evaluation = Table(
    "evaluation",
    metadata,
    Column("evaluation_id", BigInteger, Identity(always=True)),
    Column("run", BigInteger, nullable=False, comment="rows of one windowshop evaluate share it"),
    Column("evaluated_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("suite", Text, nullable=False),
    Column(
        "direction",
        Text,
        nullable=False,
        comment="from->leg: text->image, text->title, text->keywords, text->hybrid, image->image ...",
    ),
    Column("catalog", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("revision", Text, nullable=False, comment="of the model"),
    Column("setting", JSONB, nullable=False, server_default=text("'{}'"), comment="weights, route, ef_search, filter"),
    Column("selectivity", Double, comment="share of products the filter lets through; null: no filter"),
    Column("queries", Integer, nullable=False),
    Column("yardstick", Text, nullable=False, comment="a hash of the queries and judgements it was measured against"),
    Column("k", Integer, nullable=False),
    Column("metrics", JSONB, nullable=False, comment="name -> {value, low, high}: 95% bootstrap interval"),
    PrimaryKeyConstraint("evaluation_id"),
    Index(None, "run"),
    schema=SHOP,
)

# A row has the results and metrics of a query of an evaluation. Evaluations are compared query by query.
evaluation_query = Table(
    "evaluation_query",
    metadata,
    Column("evaluation_id", BigInteger, ForeignKey(evaluation.c.evaluation_id, ondelete="CASCADE")),
    Column("query_id", Uuid, comment="as in shop.judgement"),
    Column("query", Text, nullable=False, comment="the text, sku:..., or the picture's sha256"),
    Column("results", ARRAY(Text), nullable=False, comment="SKUs, best first"),
    Column("metrics", JSONB, nullable=False),
    PrimaryKeyConstraint("evaluation_id", "query_id"),
    schema=SHOP,
)

# A row is a search, click or purchase of a shopper that the shop has reported.
event = Table(
    "event",
    metadata,
    Column("event_id", BigInteger, Identity(always=True)),
    Column("at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("kind", Text, nullable=False),
    Column("visitor", Text, comment="whatever the shop tells its visitors apart by"),
    Column("catalog", Text, nullable=False, server_default="main"),
    Column("query", Text),
    Column("results", Integer, comment="of a search"),
    Column("sku", Text, comment="clicked, put into the cart, bought"),
    Column("rank", Integer, comment="where it stood in the results, from 1"),
    PrimaryKeyConstraint("event_id"),
    CheckConstraint("kind in ('search', 'click', 'add_to_cart', 'purchase')", name="kind"),
    CheckConstraint("length(query) <= 10000 and length(sku) <= 200 and length(visitor) <= 200", name="bounded"),
    Index(None, "at"),
    schema=SHOP,
)
