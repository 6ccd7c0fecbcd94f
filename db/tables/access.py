"""Defines the tables of the web service: API keys, idempotency keys, and the heartbeat of the primary."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.metadata import PRIVATE, metadata

api_key = Table(
    "api_key",
    metadata,
    Column("api_key_id", Integer, Identity(always=True)),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, comment="SHA-256 of the token"),
    Column(
        "scopes",
        ARRAY(Text),
        nullable=False,
        comment="search; write, which includes search; or admin, which includes both",
    ),
    Column("catalogs", ARRAY(Text), comment="the catalogs that the key allows; null: all"),
    Column("filter", JSONB, comment="the key reads only products that pass this filter; null: all products"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("expires_at", DateTime(timezone=True), comment="when the key stops working; null: never"),
    Column("last_used_at", DateTime(timezone=True), comment="when the key was last used, to the minute"),
    Column("revoked_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("api_key_id"),
    UniqueConstraint("hash"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name="name"),
    CheckConstraint("length(hash) = 32", name="hash"),
    CheckConstraint("cardinality(scopes) > 0 and scopes <@ array['search', 'write', 'admin']", name="scopes"),
    CheckConstraint("cardinality(catalogs) > 0 and array_position(catalogs, null) is null", name="catalogs"),
    CheckConstraint("filter is null or jsonb_typeof(filter) = 'object' and scopes = array['search']", name="filter"),
    Index("api_key_one_in_force", "name", unique=True, postgresql_where=text("revoked_at is null")),
    schema=PRIVATE,
)

# A row is a write to which a client gave an idempotency key. If several requests have the same key, only the request
# that claims the key (see claimed_at) runs.

idempotency = Table(
    "idempotency",
    metadata,
    Column("idempotency_id", BigInteger, Identity(always=True)),
    Column("key", LargeBinary, nullable=False, comment="SHA-256 of the client and its Idempotency-Key"),
    Column("request", LargeBinary, nullable=False, comment="SHA-256 of the request"),
    Column("claimed_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("status", SmallInteger, comment="HTTP status of the answer; null: the request is running"),
    Column("answer", LargeBinary, comment="body of the answer"),
    PrimaryKeyConstraint("idempotency_id"),
    UniqueConstraint("key"),
    CheckConstraint("length(key) = 32 and length(request) = 32", name="hashes"),
    schema=PRIVATE,
)

# The table has one row, which is written on the primary. A standby shows the row that it has replayed, so the lag of
# the standby is at most the age of this row.

primary_heartbeat = Table(
    "primary_heartbeat",
    metadata,
    Column("is_only", Boolean, nullable=False, server_default=true()),
    Column("beat_at", DateTime(timezone=True), nullable=False, comment="by the clock of the primary"),
    PrimaryKeyConstraint("is_only"),
    CheckConstraint("is_only", name="is_only"),
    schema=PRIVATE,
)
