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
from sqlalchemy.dialects.postgresql import ARRAY

from db.tables.metadata import PRIVATE, metadata

api_key = Table(
    "api_key",
    metadata,
    Column("api_key_id", Integer, Identity(always=True)),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, comment="SHA-256 of the token"),
    Column("scopes", ARRAY(Text), nullable=False, comment="search, write, or admin, which includes both"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("last_used_at", DateTime(timezone=True), comment="when the key was last used, to the minute"),
    Column("revoked_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("api_key_id"),
    UniqueConstraint("hash"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'", name="name"),
    CheckConstraint("length(hash) = 32", name="hash"),
    CheckConstraint("cardinality(scopes) > 0 and scopes <@ array['search', 'write', 'admin']", name="scopes"),
    Index("api_key_one_in_force", "name", unique=True, postgresql_where=text("revoked_at is null")),
    schema=PRIVATE,
)
