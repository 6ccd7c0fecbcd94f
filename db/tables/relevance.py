"""Defines the table of synonyms."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.tables.metadata import SHOP, metadata

# The triggers synonym_checked and synonyms_counted check each row and the number of rows.
synonym = Table(
    "synonym",
    metadata,
    Column("synonym_id", BigInteger, Identity(always=True), comment="the key of the synonym"),
    Column("catalog", Text, comment="the catalog whose searches use the synonym; null: every catalog"),
    Column(
        "language", Text, comment="the language of the catalogs whose searches use the synonym; null: every language"
    ),
    Column(
        "from_term",
        Text,
        comment="a query with this term also finds the terms; null: each of the terms finds the others",
    ),
    Column("terms", ARRAY(Text), nullable=False, comment="the terms, each of 1 to 5 words"),
    Column(
        "keys",
        ARRAY(Text),
        nullable=False,
        comment="a query with one of these terms, unstemmed or stemmed, uses the synonym; a trigger sets the column",
    ),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
        comment="when the row was inserted",
    ),
    PrimaryKeyConstraint("synonym_id"),
    UniqueConstraint("catalog", "language", "from_term", "terms", postgresql_nulls_not_distinct=True),
    Index("synonym_keys_idx", "keys", postgresql_using="gin"),
    schema=SHOP,
    comment="Terms that mean the same in searches. With from_term, only a query with from_term finds the others.",
)
