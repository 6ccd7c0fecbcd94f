"""Adds the tables of suggestions, and an index on the beginnings of titles."""

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, PrimaryKeyConstraint, SmallInteger, Text, text

from migrations.operations.script import quoted, run_raw
from migrations.operations.variant_indexes import TITLE_INDEX

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None
serves = "0023"

# The form in which texts are compared: lower case without accents, and single blanks.
SUGGESTION_KEY = """
create or replace function shop_private.suggestion_key(words text) returns text
language sql immutable parallel safe strict
return pg_catalog.btrim(pg_catalog.regexp_replace(shop_private.fold(words), '[[:space:][:cntrl:]]+', ' ', 'g'))"""


def upgrade() -> None:
    # Revisions 0010 and 0030 already add these indexes. The call is for databases that ran earlier versions of these
    # two revisions.
    op.add_variant_indexes()
    run_raw(op, SUGGESTION_KEY)
    op.create_table(
        "suggestion",
        Column("catalog", Text(), nullable=False, comment="the catalog"),
        Column("kind", Text(), nullable=False, comment="query, type or brand"),
        Column("folded", Text(), nullable=False, comment="the text without capitals and accents"),
        Column("place", SmallInteger(), nullable=False, comment="number of the word at which `start` begins, from 0"),
        Column("start", Text(), nullable=False, comment="the folded text from this word on"),
        Column("text", Text(), nullable=False, comment="the text in its most frequent spelling"),
        Column(
            "count",
            BigInteger(),
            nullable=False,
            comment="number of visitors who searched for the query, or of products",
        ),
        PrimaryKeyConstraint("catalog", "kind", "folded", "place", name=op.f("suggestion_pkey")),
        schema="shop",
        comment="The texts that shop.suggest shows, with a row for each word at which a text may begin.",
    )
    trgm = quoted(op, op.get_context().opts["schemas"]["trgm"])
    for name, definition in {
        "suggestion_start_idx": '(catalog, (start collate "C"))',
        "suggestion_count_idx": "(catalog, kind, count) where place = 0",
        "suggestion_folded_idx": f"using gin (folded {trgm}.gin_trgm_ops) where place = 0",
    }.items():
        op.execute(f"create index {name} on shop.suggestion {definition}")
    op.create_table(
        "blocked_suggestion",
        Column(
            "text",
            Text(),
            nullable=False,
            comment="a word that no suggestion may contain, or a whole text that is not suggested",
        ),
        Column(
            "blocked_at",
            DateTime(timezone=True),
            server_default=text("clock_timestamp()"),
            nullable=False,
            comment="when the text was blocked",
        ),
        CheckConstraint(
            "length(text) >= 1 and length(text) <= 200 and text = shop_private.suggestion_key(text)",
            name=op.f("blocked_suggestion_text_check"),
        ),
        PrimaryKeyConstraint("text", name=op.f("blocked_suggestion_pkey")),
        schema="shop",
        comment="Words and texts that shop.suggest does not show, in lower case and without accents.",
    )


def downgrade() -> None:
    op.drop_functions("shop", "suggest", "refresh_suggestions")
    op.drop_functions("shop_private", "suggested_texts", "suggested_products", "visible_texts", "is_blocked",
        "meant_prefix")
    op.drop_table("blocked_suggestion", schema="shop")
    op.drop_table("suggestion", schema="shop")
    op.drop_functions("shop_private", "suggestion_key")
    op.execute(f"delete from shop.deferred_index where name = '{TITLE_INDEX}'")
    op.execute(f"drop index if exists shop.{TITLE_INDEX}")  # a load may have deferred the index
