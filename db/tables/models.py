"""Defines the tables of models, of the history of serving models, and of the indexes that a first load defers."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM

from db.tables.metadata import SHOP, metadata

# building: vectors are filled and kept current; serving: search uses its vectors; retired: its tables are dropped.
# building -> serving (promoted) -> building (another model is promoted) -> retired -> building (added again)
model_status = ENUM("building", "serving", "retired", name="model_status", schema=SHOP, metadata=metadata)

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

# A row is added when a model begins to serve. `windowshop model rollback` reads which model served before.

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

# A row is an index that is deferred while its table is filled for the first time. Building the index deletes the row.

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
