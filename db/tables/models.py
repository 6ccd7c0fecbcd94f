"""Defines the tables of models, of the history of serving models, of deferred indexes, of labels, and of the site's
revisions."""

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
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from db.tables.metadata import PRIVATE, SHOP, metadata

# building: encoders compute the model's vectors and keep them current; serving: searches use the model's vectors, which
# encoders also keep current; retired: the model's tables are dropped.
# building -> serving (promoted) -> building (another model is promoted) -> retired -> building (added again)
model_status = ENUM("building", "serving", "retired", name="model_status", schema=SHOP, metadata=metadata)

model = Table(
    "model",
    metadata,
    Column("model_id", SmallInteger, Identity(always=True), comment="the key of the model"),
    Column(
        "name", Text, nullable=False, unique=True, comment="the first part of the names of the model's embedding tables"
    ),
    Column("source", Text, nullable=False, comment="'starter', a hub name, or a folder"),
    Column("revision", Text, nullable=False, comment="identifies the weights: a commit or a content hash"),
    Column("dimension", Integer, nullable=False, comment="how many numbers a vector of the model has"),
    Column(
        "status",
        model_status,
        nullable=False,
        server_default="building",
        comment="building: vectors are filled; serving: searches use them; retired: the tables are dropped",
    ),
    Column(
        "added_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="when the model was added",
    ),
    PrimaryKeyConstraint("model_id"),
    CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,39}$'", name="name"),
    CheckConstraint("dimension between 1 and 4000", name="dimension"),
    Index("model_one_serving", "status", unique=True, postgresql_where=text("status = 'serving'")),
    schema=SHOP,
    comment="A row for each embedding model that was added, with the state of its vectors.",
)

# A row is added when a model begins to serve. `windowshop model rollback` finds the previous serving model here.

serving_history = Table(
    "serving_history",
    metadata,
    Column("serving_id", BigInteger, Identity(always=True), comment="ascends in the order of the switches"),
    Column("model", Text, nullable=False, comment="name of the model"),
    Column("revision", Text, nullable=False, comment="revision of the model"),
    Column(
        "began_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
        comment="when the model began to serve",
    ),
    PrimaryKeyConstraint("serving_id"),
    schema=SHOP,
    comment="A row for each switch to another serving model.",
)

# A row names an index or a foreign key that is deferred while its table is filled. When the index is
# built or the foreign key is added again, the row is deleted.

deferred_index = Table(
    "deferred_index",
    metadata,
    Column("name", Text, comment="name of the index or the foreign key"),
    Column("table_name", Text, nullable=False, comment="the table that is filled without it"),
    Column("definition", Text, nullable=False, comment="the statement that creates the index or the foreign key"),
    Column(
        "deferred_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
        comment="when the index or the foreign key was deferred",
    ),
    PrimaryKeyConstraint("name"),
    schema=SHOP,
    comment="A row for each index and foreign key that is missing until a table is filled.",
)

# A label is a value of a field of products. The vectors of the products that have the value are kept a second time, in
# `<model>_image_label` and `<model>_title_label`, where a partial HNSW index has only these vectors.

label_index = Table(
    "label_index",
    metadata,
    Column("label_id", Integer, Identity(always=True), comment="the number in the names of the two indexes"),
    Column(
        "model_id", SmallInteger, ForeignKey(model.c.model_id, ondelete="CASCADE"), nullable=False, comment="the model"
    ),
    Column("field", Text, nullable=False, comment="the name of a column, top:product_type, or attributes.<key>"),
    Column("value", JSONB, nullable=False, comment="the value of the field that products with the label have"),
    Column("ef_search", Integer, comment="the calibrated ef_search of the image index; null: not known"),
    Column("images", Double, comment="number of images in the index when it was calibrated"),
    PrimaryKeyConstraint("label_id"),
    UniqueConstraint("model_id", "field", "value"),
    schema=SHOP,
    comment="A row for each value of a field for which a model has HNSW indexes of its own.",
)

# A row holds a revision that creates or changes the tables of a model. migrations/site_revisions.py writes this table.

site_revision = Table(
    "site_revision",
    metadata,
    Column("revision", Text),
    Column("script", Text, nullable=False, comment="the Python file of the revision"),
    PrimaryKeyConstraint("revision"),
    schema=PRIVATE,
)
