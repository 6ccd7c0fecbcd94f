"""Defines the tables of judgements, of evaluations of search, of shoppers' events, and of the salt with which the page
hashes its visitors."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.metadata import PRIVATE, SHOP, metadata

_NOW = text("clock_timestamp()")

# A row holds the grade that a person gave to a product as an answer to a query. A query is a text, an image, or both. A
# product has at most one grade for each query of a suite.
judgement = Table(
    "judgement",
    metadata,
    Column("judgement_id", BigInteger, Identity(always=True), comment="the key of the judgement"),
    Column("suite", Text, nullable=False, server_default="default", comment="name of the set of judgements"),
    Column("query", Text, comment="text of the query; null: the query is an image alone"),
    Column("picture", LargeBinary, comment="bytes of the image file of the query"),
    Column(
        "picture_sku",
        Text,
        comment="SKU of a product: its first image is the query, and the results exclude this product",
    ),
    Column("catalog", Text, nullable=False, server_default="main", comment="the catalog that is searched"),
    Column("sku", Text, nullable=False, comment="SKU of the judged product"),
    Column(
        "grade",
        SmallInteger,
        nullable=False,
        server_default="1",
        comment="from 0 (wrong) to 3 (exactly what was searched for)",
    ),
    Column(
        "judged_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when the grade was stored"
    ),
    Column(
        "query_id",
        Uuid,
        Computed("shop_private.query_id(query, picture, picture_sku)", persisted=True),
        nullable=False,
        comment="key of the query: equal queries have the same key in every suite",
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
    comment="How well products answer queries, as people judged. A product has one grade for each query of a suite.",
)

# There is a row for each suite, catalog, direction and setting that a run measured.
evaluation = Table(
    "evaluation",
    metadata,
    Column("evaluation_id", BigInteger, Identity(always=True), comment="the key of the evaluation"),
    Column("run", BigInteger, nullable=False, comment="number of the run that measured the row"),
    Column(
        "evaluated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=_NOW,
        comment="when the row was inserted",
    ),
    Column("suite", Text, nullable=False, comment="the suite of judgements"),
    Column(
        "direction",
        Text,
        nullable=False,
        comment="kind of the query -> leg: text->image, text->title, text->keywords, text->hybrid, image->image ...",
    ),
    Column("catalog", Text, nullable=False, comment="the catalog that was searched"),
    Column("model", Text, nullable=False, comment="name of the model"),
    Column("revision", Text, nullable=False, comment="revision of the model"),
    Column(
        "setting",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="a JSON object: the weights, route, filter and calibration of the searches",
    ),
    Column("selectivity", Double, comment="share of the products that pass the filter; null: no filter"),
    Column("queries", Integer, nullable=False, comment="number of queries"),
    Column("yardstick", Text, nullable=False, comment="a hash of the queries and judgements that were measured"),
    Column("k", Integer, nullable=False, comment="number of results of each search"),
    Column(
        "metrics",
        JSONB,
        nullable=False,
        comment="a JSON object of metrics: name -> {value, low, high}; low and high bound the 95% bootstrap interval",
    ),
    PrimaryKeyConstraint("evaluation_id"),
    Index(None, "run"),
    schema=SHOP,
    comment="A row for each suite, catalog, direction and setting that a run measured.",
)

# A row holds the results and metrics of one query of an evaluation. Two evaluations are compared query by query.
evaluation_query = Table(
    "evaluation_query",
    metadata,
    Column(
        "evaluation_id",
        BigInteger,
        ForeignKey(evaluation.c.evaluation_id, ondelete="CASCADE"),
        comment="the evaluation",
    ),
    Column("query_id", Uuid, comment="key of the query, as in shop.judgement"),
    Column("query", Text, nullable=False, comment="the text, 'sku:' and an SKU, or the image's SHA-256"),
    Column("results", ARRAY(Text), nullable=False, comment="SKUs of the found products, best first"),
    Column("metrics", JSONB, nullable=False, comment="a JSON object of metrics: name -> value"),
    PrimaryKeyConstraint("evaluation_id", "query_id"),
    schema=SHOP,
    comment="The results and metrics of each query of an evaluation.",
)

# A row is an action of a shopper, such as a search or a purchase. The shop has reported the action, or the page has
# recorded it.
event = Table(
    "event",
    metadata,
    Column("event_id", BigInteger, Identity(always=True), comment="ascends in the order in which events arrive"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when the event arrived"),
    Column("kind", Text, nullable=False, comment="search, view, click, wishlist, add_to_cart or purchase"),
    Column(
        "visitor",
        Text,
        comment="the shop's own name of the visitor, or a hash that the page uses for a day",
    ),
    Column("catalog", Text, nullable=False, server_default="main", comment="the catalog that was searched"),
    Column("query", Text, comment="the text of the search that led to the event"),
    Column("results", Integer, comment="number of results of a search"),
    Column("sku", Text, comment="the product that was viewed, clicked, put into the cart or bought"),
    Column("rank", Integer, comment="place of the product in the results, from 1"),
    Column("search_id", Text, comment="the id of the search whose answer led to the event"),
    Column(
        "occurred_at",
        DateTime(timezone=True),
        comment="when the event happened, as the shop reports it; null: when it arrived",
    ),
    Column("value", Numeric(14, 2), comment="total price of the event's products; the column currency has its unit"),
    Column("currency", Text, comment="ISO 4217 code of value"),
    Column("quantity", Integer, comment="number of pieces that were put into the cart or bought"),
    Column("position", Integer, comment="place of the product in the list that the shopper saw, from 1"),
    Column("session", Text, comment="the shop's own name of the visitor's session"),
    PrimaryKeyConstraint("event_id"),
    CheckConstraint("kind in ('search', 'view', 'click', 'wishlist', 'add_to_cart', 'purchase')", name="kind"),
    CheckConstraint(
        "length(search_id) <= 64 and length(session) <= 200 and value >= 0 and value <> 'NaN' "
        "and currency ~ '^[A-Z]{3}$' and quantity > 0 and position > 0",
        name="details",
    ),
    CheckConstraint("length(query) <= 10000 and length(sku) <= 200 and length(visitor) <= 200", name="bounded"),
    Index(None, "at"),
    Index(None, "catalog"),
    schema=SHOP,
    comment="Searches, clicks and purchases of shoppers, as their shop reports them or the page records them.",
)

# The table has one row: the salt from which the page computes the names of its visitors on one day. The table is
# unlogged, because otherwise base backups, archives and standbys would keep the salt after its day.
visitor_salt = Table(
    "visitor_salt",
    metadata,
    Column("day", Date, comment="the day, in UTC"),
    Column("salt", LargeBinary, nullable=False, comment="random bytes, deleted after the day"),
    PrimaryKeyConstraint("day"),
    schema=PRIVATE,
    prefixes=["UNLOGGED"],
)
