"""Adds normalised keys of identifiers and brands, with indexes. With these keys, a search finds the products whose
identifier or brand is in its text."""

from alembic import op

from migrations.operations.script import run_raw

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Two indexes use this function, so it is defined here and never changes. Letter case, accents, width, separators and
# other punctuation, invisible characters and the leading zeros of a number make no difference. So a UPC, its EAN and
# its GTIN-14 have the same key. Lancôme and LANCOME have the same key, too. The collation makes the key the same in
# every locale.
#
# The language is PL/pgSQL, because the planner would inline an SQL function and estimate its cost as a few operators.
IDENTIFIER_KEY = r"""
create or replace function shop_private.identifier_key(code text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    key text;
begin
    if pg_catalog.length(code) > 200 then
        return null;
    elsif pg_catalog.octet_length(code) = pg_catalog.length(code) then  -- ASCII
        key := pg_catalog.regexp_replace(
            pg_catalog.upper(code collate pg_catalog.pg_c_utf8), '[^A-Z0-9]+', '', 'g');
    else
        key := pg_catalog.translate(code,
            'łŁøØđĐıħĦŧŦ٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹™℠', 'lLoOdDihHtT01234567890123456789');
        key := pg_catalog.upper(pg_catalog.normalize(key, 'NFKD') collate pg_catalog.pg_c_utf8);
        key := pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(key, 'ß', 'SS'), 'Æ', 'AE'), 'Œ', 'OE');
        key := pg_catalog.regexp_replace(
            key collate pg_catalog.pg_c_utf8, E'\\W|_|[\u064b-\u065f\u0670]', '', 'g');
    end if;
    if pg_catalog."left"(key, 1) = '0' and key ~ '^0[0-9]+$' then
        key := pg_catalog.regexp_replace(key, '^0+(?=[0-9])', '');
    end if;
    return nullif(pg_catalog."left"(key, 200), '');
end $$"""

# This JSON path selects attributes whose names show that their values are identifiers, such as model, Part Number,
# ean13 or herstellernr.
IDENTIFIERS = (
    '$.keyvalue() ? (@.key like_regex "^((gtin|ean|upc|isbn|jan)(8|10|12|13|14)?|asin|barcode|sku|oem|ref|reference|modell?'
    "|((manufacturers?|mfr|mfg|hersteller|oem|vendor|supplier)[ _.-]*)?"
    "(mpn|(gtin|ean|oem|modell?|part|teile|item|article|artikel|product|style|catalog|catalogue|order|bestell|reference"
    "|manufacturers?|mfr|mfg|hersteller|vendor|supplier)[ _.-]*"
    '(no|nr|numbers?|nummer|code|id|ref|reference)))$" flag "i").value[0 to 9]'
    ' ? (@.type() == "string" && @ like_regex "[0-9]" || @.type() == "number")'
)

IDENTIFIER_KEYS = f"""
create or replace function shop_private.identifier_keys(sku text, gtin text, mpn text, attributes jsonb) returns text[]
language plpgsql immutable parallel safe as $$
declare
    keys text[] := array[shop_private.identifier_key(sku), shop_private.identifier_key(gtin),
        shop_private.identifier_key(mpn)];
    others jsonb;
begin
    if attributes <> '{{}}' then
        others := pg_catalog.jsonb_path_query_array(attributes, '{IDENTIFIERS}');
        for place in 0 .. least(pg_catalog.jsonb_array_length(others), 20) - 1 loop
            keys := pg_catalog.array_append(keys, shop_private.identifier_key(others ->> place));
        end loop;
    end if;
    return pg_catalog.array_remove(keys, null);
end $$"""


def upgrade() -> None:
    # The columns, constraints and indexes of these three operations belong to revisions 0014, 0018 and 0030. They are
    # added here already, because each operation may end the transaction. From revision 0011 on, no transaction may end
    # before the whole upgrade does, because the functions of the previous version do not work with these revisions.
    op.add_offer_columns()
    op.add_product_checks()
    op.add_variant_indexes()
    run_raw(op, IDENTIFIER_KEY)
    run_raw(op, IDENTIFIER_KEYS)
    # The creation of an index may end the transaction. The revisions up to this one change nothing that the functions
    # of the previous version need, so searches continue.
    op.create_index_concurrently(
        "product_identifier_idx",
        "product",
        "using gin (shop_private.identifier_keys(sku, gtin, mpn, attributes)) with (fastupdate = off)",
    )
    op.create_index_concurrently("product_brand_key_idx", "product", "(shop_private.identifier_key(brand), catalog)")


def downgrade() -> None:
    for name in ("product_brand_key_idx", "product_identifier_idx"):
        op.execute(f"drop index if exists shop.{name}")
        op.execute(f"delete from shop.deferred_index where name = '{name}'")
    op.execute("drop function shop_private.identifier_keys(text, text, text, jsonb)")
    op.execute("drop function shop_private.identifier_key(text)")
