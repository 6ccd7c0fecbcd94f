"""Defines the table of API keys of the web service."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
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
    Column("filter", JSONB, comment="filter; the key reads only products that pass it; null: all products"),
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
