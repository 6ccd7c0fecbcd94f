"""Defines the tables of the suggestions that shop.suggest shows while a shopper types."""

from sqlalchemy import BigInteger, Column, DateTime, Index, PrimaryKeyConstraint, SmallInteger, Table, Text, text
from sqlalchemy import CheckConstraint as Check

from db.tables.metadata import SHOP, metadata

suggestion = Table(
    "suggestion",
    metadata,
    Column("catalog", Text, comment="the catalog"),
    Column("kind", Text, comment="query, type or brand"),
    Column("folded", Text, comment="the text without capitals and accents"),
    Column("place", SmallInteger, comment="number of the word at which `start` begins, from 0"),
    Column("start", Text, nullable=False, comment="the folded text from this word on"),
    Column("text", Text, nullable=False, comment="the text in its most frequent spelling"),
    Column(
        "count",
        BigInteger,
        nullable=False,
        comment="number of visitors who searched for the query, or of products with the type or brand",
    ),
    PrimaryKeyConstraint("catalog", "kind", "folded", "place"),
    Index("suggestion_start_idx", "catalog", "start"),  # has the collation C, which alembic does not compare
    Index("suggestion_count_idx", "catalog", "kind", "count", postgresql_where=text("place = 0")),
    Index(
        "suggestion_folded_idx",
        "folded",
        postgresql_using="gin",
        postgresql_ops={"folded": "gin_trgm_ops"},
        postgresql_where=text("place = 0"),
    ),
    schema=SHOP,
    comment="The texts that shop.suggest shows, with a row for each word at which a text may begin.",
)

blocked_suggestion = Table(
    "blocked_suggestion",
    metadata,
    Column("text", Text, comment="a word that no suggestion may contain, or a whole text that is not suggested"),
    Column(
        "blocked_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
        comment="when the text was blocked",
    ),
    PrimaryKeyConstraint("text"),
    Check("length(text) >= 1 and length(text) <= 200 and text = shop_private.suggestion_key(text)", name="text"),
    schema=SHOP,
    comment="Words and texts that shop.suggest does not show, in lower case and without accents.",
)
