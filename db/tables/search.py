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
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.metadata import PRIVATE, SHOP, metadata
from db.tables.models import model

_NOW = text("clock_timestamp()")

query_embedding = Table(
    "query_embedding",
    metadata,
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column("key", LargeBinary, comment="SHA-256 of the kind and the content of the query"),
    Column("query", Text, comment="text of the query; null for an image"),
    # No dimension is declared, because the models have different dimensions.
    Column("embedding", HALFVEC, nullable=False),
    Column("asked", Integer, nullable=False, server_default="1", comment="number of cache misses for this query"),
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
    Column(
        "kind", Text, nullable=False, comment="t: UTF-8 text; i: an image file, preceded by its region if one is given"
    ),
    Column("payload", LargeBinary, nullable=False),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("trace", Text, comment="traceparent of the session that asks; null: without a trace"),
    PrimaryKeyConstraint("id"),
    CheckConstraint("kind in ('t', 'i')", name="kind"),
    schema=PRIVATE,
    prefixes=["UNLOGGED"],
)

calibration = Table(
    "calibration",
    metadata,
    Column("calibration_id", BigInteger, Identity(always=True), comment="ascends in the order of the runs"),
    Column(
        "model_id",
        SmallInteger,
        ForeignKey(model.c.model_id, ondelete="CASCADE"),
        nullable=False,
        comment="the model that served",
    ),
    Column("calibrated_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when the run ended"),
    Column("products", BigInteger, nullable=False, comment="number of encoded products during the run"),
    Column("k", Integer, nullable=False, comment="number of results of each measured search"),
    Column("target_recall", Double, nullable=False, comment="the recall@k that the index must reach"),
    Column("recall", Double, comment="recall@k that ef_search reached; null: too few products for an index to matter"),
    Column("queries", Integer, nullable=False, comment="number of measured queries"),
    Column(
        "query_kind", Text, nullable=False, comment="text: texts that people searched; image: images of the catalog"
    ),
    Column("ef_search", Integer, nullable=False, comment="number of candidates of a search without a filter"),
    Column(
        "slack",
        Double,
        nullable=False,
        comment="the stop margin: a filtered index scan ends this far beyond the k-th match, in Euclidean distance",
    ),
    Column("exact_us_per_row", Double, nullable=False, comment="time of one comparison, in microseconds"),
    Column(
        "hnsw_us_per_candidate", Double, nullable=False, comment="time of one candidate of the index, in microseconds"
    ),
    Column(
        "crossover_rows",
        BigInteger,
        nullable=False,
        comment="for a filter with up to this many matches, comparing all matches is faster than the index",
    ),
    Column("background_mean", Double, comment="mean cosine similarity of queries to random products"),
    Column(
        "background_deviation", Double, comment="standard deviation of the similarity of queries to random products"
    ),
    Column("measured", JSONB, nullable=False, server_default=text("'[]'"), comment="recall and time of each setting"),
    Column("advice", Text, comment="the recalls below the target, and an index that finds more; null: none is below"),
    Column("bits", Integer, comment="dimension of the model if the index of images had bits; null: it had vectors"),
    Column(
        "lowest_recall",
        Double,
        comment="lower 95 % bound of recall; if it is below target_recall, searches without a filter check their scans",
    ),
    PrimaryKeyConstraint("calibration_id"),
    CheckConstraint("query_kind in ('text', 'image')", name="query_kind"),
    CheckConstraint("ef_search between 1 and case when bits is null then 1000 else 20000 end", name="ef_search"),
    # NaN is greater than every number, so an upper bound also excludes NaN.
    CheckConstraint(
        "exact_us_per_row > 0 and exact_us_per_row < 'Infinity' and hnsw_us_per_candidate >= 0 "
        "and hnsw_us_per_candidate < 'Infinity' and crossover_rows >= 0 and slack >= 0 and slack < 'Infinity' "
        "and products >= 0 and recall between 0 and 1 and background_mean between -1.01 and 1.01 "
        "and background_deviation >= 0 and background_deviation < 'Infinity'",
        name="figures",
    ),
    Index(None, "model_id", "calibration_id"),
    schema=SHOP,
    comment="A row for each run of shop.calibrate. Searches use the newest row of the serving model.",
)

# The table has at most one row: the calibration that is running or was interrupted. This table and calibration_list are
# unlogged, because a calibration can begin again after a crash of the server.

calibration_run = Table(
    "calibration_run",
    metadata,
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE")),
    Column(
        "measures",
        JSONB,
        nullable=False,
        comment="arguments, index and revision; a calibration with other values begins a new run",
    ),
    Column("products", BigInteger, nullable=False, comment="number of encoded products when the run began"),
    Column("k", Integer, nullable=False),
    Column("target_recall", Double, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column(
        "stepped_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when a step last began"
    ),
    Column("session", Integer, nullable=False, comment="process id of the session that took the last step"),
    Column("query_kind", Text),
    Column("vectors", ARRAY(HALFVEC), comment="the queries; null: not drawn yet"),
    Column(
        "own_products", ARRAY(Uuid), comment="for each query, the product whose image is the query; null for a text"
    ),
    Column("mixes", ARRAY(HALFVEC), comment="queries that are mixes of products"),
    Column("mix_inputs", ARRAY(HALFVEC), comment="the two products of each mix, one after the other"),
    Column("done", JSONB, nullable=False, server_default=text("'{}'"), comment="results of complete steps, by name"),
    PrimaryKeyConstraint("model_id"),
    schema=PRIVATE,
    prefixes=["UNLOGGED"],
)

# A row is the list of products that a step of calibration_run found for one query. The step is a trial, or the exact
# search for the nearest products, with which trials are compared.

calibration_list = Table(
    "calibration_list",
    metadata,
    Column("step", Text),
    Column("condition", SmallInteger, comment="number of the filter; 1 for a trial"),
    Column("query", SmallInteger, comment="number of the query"),
    Column("product_ids", ARRAY(Uuid), comment="the nearest first"),
    Column("distances", ARRAY(Double)),
    Column("examined", Double, comment="candidates that a trial examined, or pages that the exact search has compared"),
    Column("ms", Double, comment="time of a trial's search"),
    PrimaryKeyConstraint("step", "condition", "query"),
    schema=PRIVATE,
    prefixes=["UNLOGGED"],
)

# A row is a word that many products contain. If more than keyword_common products (db/functions/constants.py) contain
# the word, the word alone selects no products while another leg runs. Several such words can select products together,
# and each of them counts for the rank of a product.

common_word = Table(
    "common_word",
    metadata,
    Column("word", Text, comment="a lexeme of shop.product.keywords"),
    Column(
        "share",
        Double,
        nullable=False,
        comment="share of the products that contain the word, as of the last ANALYZE",
    ),
    PrimaryKeyConstraint("word"),
    schema=SHOP,
    comment="Words in too many products for the keyword leg to scan: such a word alone selects no products.",
)

# A row is a number that was fitted for a model: a weight or the rrf_k of the fusion, a temperature or a threshold.

tuning = Table(
    "tuning",
    metadata,
    Column("model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE"), comment="the model"),
    Column("name", Text, comment="name of the number, such as zero_shot:product_type"),
    Column("value", Double, nullable=False, comment="the fitted number"),
    Column(
        "fitted_at", DateTime(timezone=True), nullable=False, server_default=_NOW, comment="when the number was fitted"
    ),
    Column(
        "detail",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="the data of the fit, and how well the number fits",
    ),
    PrimaryKeyConstraint("model_id", "name"),
    # The bounds of the weights and of rrf_k are max_weight and max_rrf_k of db/functions/constants.py. NaN is greater
    # than every number, so an upper bound also excludes NaN.
    CheckConstraint(
        "case when name = 'rrf_k' then value between 1 and 10000 "
        "when name like 'zero_shot:%' then value > 0 and value <= 1000 "
        "else value between 0 and 1000 end",
        name="value",
    ),
    CheckConstraint(
        "jsonb_typeof(detail) = 'object' and jsonb_typeof(detail -> 'ece') in ('number', 'null')", name="detail"
    ),
    schema=SHOP,
    comment="Numbers fitted for a model: fusion weights, temperatures, thresholds.",
)
