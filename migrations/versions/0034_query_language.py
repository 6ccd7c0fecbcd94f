"""Adds the table of synonyms, and types for the operators, synonyms and misspelt words of a query."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None
serves = "0023"

# `typed` is the query as the caller gave it, `words` the text without operators, and `condition` the condition on
# p (shop.product) that the operators set. `fields` is a list of objects with field, value and not.
PARSED = """
create type shop_private.parsed_query as (
    typed text, words text, phrases text[], excluded text[], fields jsonb, condition text
)"""

# One use of a synonym in a text. `typed` has the words that the synonym replaces. `first` and `last` are the numbers of
# the first and the last of these words. `terms` are the terms that stand for these words.
USE = "create type shop_private.synonym_use as (first integer, last integer, typed text, terms text[])"


def upgrade() -> None:
    op.create_table(
        "synonym",
        sa.Column(
            "synonym_id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="the key of the synonym"
        ),
        sa.Column("catalog", sa.Text(), comment="the catalog whose searches use the synonym; null: every catalog"),
        sa.Column(
            "language",
            sa.Text(),
            comment="the language of the catalogs whose searches use the synonym; null: every language",
        ),
        sa.Column(
            "from_term",
            sa.Text(),
            comment="a query with this term also finds the terms; null: each of the terms finds the others",
        ),
        sa.Column("terms", postgresql.ARRAY(sa.Text()), nullable=False, comment="the terms, each of 1 to 5 words"),
        sa.Column(
            "keys",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="a query with one of these terms, unstemmed or stemmed, uses the synonym; a trigger sets the column",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="when the row was inserted",
        ),
        sa.PrimaryKeyConstraint("synonym_id", name=op.f("synonym_pkey")),
        sa.UniqueConstraint(
            "catalog",
            "language",
            "from_term",
            "terms",
            name=op.f("synonym_catalog_language_from_term_terms_key"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="shop",
        comment="Terms that mean the same in searches. With from_term, only a query with from_term finds the others.",
    )
    op.create_index("synonym_keys_idx", "synonym", ["keys"], schema="shop", postgresql_using="gin")
    op.execute(PARSED)
    op.execute(USE)
    op.execute(
        "alter type shop_private.search_request add attribute parsed shop_private.parsed_query, "
        "add attribute synonyms shop_private.synonym_use[], add attribute correct boolean"
    )
    op.execute("alter type shop_private.leg add attribute misspelt text[]")


def downgrade() -> None:
    op.drop_functions(
        "shop_private",
        "parse_query",
        "phrase_condition",
        "query_condition",
        "field_key",
        "read_query",
        "explain_operators",
        "explain_synonyms",
        "text_variants",
        "expanded_query",
        "synonyms_of",
        "term_key",
        "text_vector",
        "gateway_request",
        "keyword_leg",
        "brand_words",
        "products_with_words",
        "corrected_query",
        "explain_correction",
        "misspelt_words",
        "typo_similarity",
        "marked_words",
    )
    op.drop_functions("shop", "highlights")
    op.execute("alter type shop_private.leg drop attribute misspelt")
    op.execute(
        "alter type shop_private.search_request drop attribute correct, drop attribute synonyms, drop attribute parsed"
    )
    op.execute("drop type shop_private.synonym_use")
    op.execute("drop type shop_private.parsed_query")
    op.drop_table("synonym", schema="shop")
    op.drop_functions("shop_private", "synonym_checked", "synonyms_counted")
