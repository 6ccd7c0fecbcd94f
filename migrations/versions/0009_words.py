"""Adds to the keywords: words without accents, forms of codes, joined words, and parts of texts without blanks.

Drops addresses, booleans, units and lists of related products, which are not words.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The characters of Thai, Lao, Burmese, Khmer, Japanese, Chinese and Korean. All of these scripts except Korean put no
# blanks between words. Korean is included because endings are joined to its words.
UNSPACED = (
    r"\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3005-\\u3007\\u3040-\\u30ff\\u31f0-\\u31ff\\u3400-\\u9fff"
    r"\\uac00-\\ud7a3\\uf900-\\ufaff\\U00020000-\\U0003ffff"
)

# A generated column uses these functions, so they are defined here and not in a file of db/functions. The functions
# give the same result in every locale of the database: lower() uses the collation pg_c_utf8, and the regular
# expressions name ranges of characters. During the computation, two private characters stand for other characters.
# U+E000 stands for the letter U+0439, which is a letter of its own and must keep its mark. U+E001 stands for a decimal
# point.
FOLD = r"""
create or replace function shop_private.fold(words text) returns text
language plpgsql immutable parallel safe strict as $$
declare
    folded text;
begin
    if pg_catalog.octet_length(words) = pg_catalog.length(words) then
        return pg_catalog.lower(words collate pg_catalog."C");
    end if;
    -- signs and quotes become blanks, dashes become hyphens, and soft hyphens and characters without width disappear
    folded := pg_catalog.translate(pg_catalog.normalize(words, 'NFC'),
        E'\u0439\u0419\u2122\u00AE\u00A9\u2120\u00B7\u2022\u30FB\u2026\u00AB\u00BB\u201C\u201D\u201E\u3001\u3002'
            || E'\u300C\u300D\u3010\u3011\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2018\u2019\u02BC\u00B4\u00D7\u00AD'
            || E'\u200B\u200C\u200D\u2060\uFEFF\u0640',
        E'\uE000\uE000                   -------''''''''x');
    folded := pg_catalog.regexp_replace(pg_catalog.normalize(folded, 'NFKD'),
        E'[\\u0300-\\u036f\\u0591-\\u05c7\\u0610-\\u061a\\u064b-\\u065f\\u0670\\u06d6-\\u06ed]+', '', 'g');
    folded := pg_catalog.lower(pg_catalog.normalize(folded, 'NFC') collate pg_catalog.pg_c_utf8);
    folded := pg_catalog.translate(folded,
        E'\u00F8\u0142\u0111\u00F0\u0127\u0167\u0131\u03C2\u0629\u0649\u06CC\u06A9\u2044\uE000',
        E'olddhti\u03C3\u0647\u064A\u064A\u0643/\u0439');
    folded := pg_catalog.regexp_replace(  -- the Arabic article
        folded, E'(^|\\s)\\u0627\\u0644(?=[\\u0620-\\u064a]{3})', E'\\1', 'g');
    folded := pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(
        folded, E'\u00DF', 'ss'), E'\u00E6', 'ae'), E'\u0153', 'oe'), E'\u00FE', 'th');
    if folded ~ E'[UNSPACED]' then
        folded := pg_catalog.regexp_replace(folded, E'([\\x21-\\x7f])([UNSPACED])', E'\\1 \\2', 'g');
        folded := pg_catalog.regexp_replace(folded, E'([UNSPACED])([\\x21-\\x7f])', E'\\1 \\2', 'g');
    end if;
    return folded;
end $$""".replace("UNSPACED", UNSPACED)

# Marks decimal points, so that "1,5" and "1.5" are equal. Only numbers with at most four digits before the comma or
# point and at most two behind it are marked. In longer numbers, the comma or point may separate thousands, or the number
# is a code.
MARK_DECIMALS = r"""
create or replace function shop_private.mark_decimals(words text) returns text
language plpgsql immutable parallel safe strict as $$
begin
    if words ~ '[0-9][.,][0-9]' then
        return pg_catalog.regexp_replace(words, '(^|[^0-9.,])([0-9]{1,4})[.,]([0-9]{1,2})(?![.,]?[0-9])',
            E'\\1\\2\uE001\\3', 'g');
    end if;
    return words;
end $$"""

# Splits a text in lower case at every ASCII character that is no letter and no digit.
WORD_PIECES = r"""
create or replace function shop_private.word_pieces(words text) returns text
language plpgsql immutable parallel safe strict as $$
begin
    return pg_catalog.btrim(pg_catalog.regexp_replace(words, E'[\\x01-\\x2f\\x3a-\\x60\\x7b-\\x7f]+', ' ', 'g'));
end $$"""

# Splits pieces between letters and digits. Drops the leading zeros of long numbers, so a UPC and its EAN are equal.
WORD_PARTS = r"""
create or replace function shop_private.word_parts(pieces text) returns text
language plpgsql immutable parallel safe strict as $$
declare
    parts constant text := pg_catalog.regexp_replace(pieces,
        E'(?<=[0-9])(?=[^0-9\\ue001 ])|(?<=[^0-9\\ue001 ])(?=[0-9])', ' ', 'g');
begin
    if pg_catalog.left(parts, 1) <> '0' and pg_catalog.strpos(parts, ' 0') = 0
    then
        return parts;
    end if;
    return pg_catalog.regexp_replace(parts, '(^| )0+(?=[1-9][0-9]{6,}( |$))', E'\\1', 'g');
end $$"""

# Returns each pair of neighbouring characters of UNSPACED. The last character of a run of such characters is also
# returned alone, so that a search by prefix finds each single character.
BIGRAMS = r"""
create or replace function shop_private.bigrams(words text) returns text
language plpgsql immutable parallel safe strict as $$
begin
    return pg_catalog.string_agg(pg_catalog.substr(run.found[1], place.place, 2), ' ' order by run.number, place.place)
        from pg_catalog.regexp_matches(words, E'[UNSPACED]+', 'g') with ordinality run(found, number),
            pg_catalog.generate_series(1, pg_catalog.length(run.found[1])) place(place);
end $$""".replace("UNSPACED", UNSPACED)

# Finds characters that make a word a code, such as a letter beside a digit.
CODE_LIKE = r"""(E'[0-9](?:[^\\x01-\\x40\\x5b-\\x60\\x7b-\\x7f]|,[0-9])|[^\\x01-\\x40\\x5b-\\x60\\x7b-\\x7f][0-9]'
        '|[^\\x01-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f][-/_.&''+][^\\x01-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f]'
        '|[-+/][0-9]|0[0-9]{9}')"""

# Adds to a tsvector the words that the parser of PostgreSQL does not find in a text: words without accents, the parts
# of codes, joined words, and bigrams. Every word of `codes` is a code, and a word of `words` may be a code. For a text without
# codes and accents, the function only tests two regular expressions. Words that the tsvector already has are not added.
WITH_FORMS = r"""
create or replace function shop_private.with_forms(vector tsvector, language regconfig, words text, codes text)
returns tsvector
language plpgsql immutable parallel safe as $$
declare
    accented text;
    pieces text;
    parts text;
    joined text;
    length integer;
begin
    if pg_catalog.octet_length(words) > pg_catalog.length(words)
        or pg_catalog.octet_length(codes) > pg_catalog.length(codes)
    then
        accented := shop_private.fold((select pg_catalog.string_agg(m[1], ' ')
            from pg_catalog.regexp_matches(
                pg_catalog.concat_ws(' ', words, codes), E'(\\S*[^\\x01-\\x7f]\\S*)', 'g') m));
        vector := vector operator(pg_catalog.||) pg_catalog.ts_delete(
            pg_catalog.to_tsvector(language, pg_catalog.concat_ws(' ', accented, shop_private.bigrams(accented))),
            pg_catalog.tsvector_to_array(vector));
        words := pg_catalog.concat_ws(
            ' ', accented, pg_catalog.regexp_replace(words, E'\\S*[^\\x01-\\x7f]\\S*', '', 'g'));
    end if;
    if words ~ CODE_LIKE
    then
        codes := pg_catalog.concat_ws(' ', codes, (select pg_catalog.string_agg(m[1], ' ')
            from pg_catalog.regexp_matches(words, E'(\\S*[0-9/_&''+.-]\\S*)', 'g') m));
    end if;
    if pg_catalog.length(words) <= 300 and words ~ E'(^|\\s)[b-hj-np-tv-xzB-HJ-NP-TV-XZ] [a-zA-Z]' then
        codes := pg_catalog.concat_ws(' ', codes, (select pg_catalog.string_agg(m[1] || m[2], ' ')
            from pg_catalog.regexp_matches(words, E'(?:^|\\s)([b-hj-np-tv-xzB-HJ-NP-TV-XZ]) ([a-zA-Z]+)', 'g') m));
    end if;
    if codes is null or codes = '' then
        return vector;
    end if;
    codes := pg_catalog.lower(codes collate pg_catalog."C");
    if pg_catalog.strpos(codes, '.') > 0 or pg_catalog.strpos(codes, ',') > 0 then
        codes := shop_private.mark_decimals(codes);
    end if;
    length := pg_catalog.length(codes);
    pieces := shop_private.word_pieces(codes);
    parts := shop_private.word_parts(pieces);
    -- Two pieces are joined if both are letters (t-shirt) or both are digits (16-07). A code of letters and digits,
    -- such as ABC-123, is found by its parts. A single letter may be a stop word, so it is joined with the digits
    -- behind it.
    joined := pg_catalog.regexp_replace(codes, E'([0-9])[-_.,''&+]+(?=[0-9])|((?<!\\S)[a-z])[-_.''&+]+(?=[0-9])'
        '|([^\\x01-\\x60\\x7b-\\x7f])[-_.''&+]+(?=[^\\x01-\\x60\\x7b-\\x7f])', E'\\1\\2\\3', 'g');
    codes := pieces;
    if parts <> pieces then
        codes := codes || ' ' || parts;
    end if;
    if pg_catalog.length(joined) < length then
        codes := codes || ' ' || shop_private.word_pieces(joined);
    end if;
    codes := pg_catalog.translate(codes, E'\uE001', '.');
    return vector operator(pg_catalog.||) pg_catalog.ts_delete(
        pg_catalog.to_tsvector(language, codes), pg_catalog.tsvector_to_array(vector));
end $$""".replace("CODE_LIKE", CODE_LIKE)

# Matches an address at the beginning of a text, or after a blank or a separator.
ADDRESS = r"""(^|[\\s,;|(<"''])(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//[^\\s,;|]+"""

WITHOUT_ADDRESSES = f"""
create or replace function shop_private.without_addresses(words text) returns text
language plpgsql immutable parallel safe strict as $$
begin
    return pg_catalog.btrim(pg_catalog.regexp_replace(words, E'{ADDRESS}', E'\\\\1', 'g'));
end $$"""

# Returns the attributes of a product unchanged if a first test finds only words in their texts, and otherwise a list of
# the texts that are words. Addresses, booleans, units and lists of related products are not words. A single letter is a word, because
# it may be a size. Building the list is slow, so the function first finds whether the list is needed. A regular
# expression with many alternatives is slow too, so a simpler one first finds whether any attribute is as short as a
# unit.
ATTRIBUTE_WORDS = r"""
create or replace function shop_private.attribute_words(attributes jsonb) returns jsonb
language plpgsql immutable parallel safe strict as $$
declare
    written constant text := pg_catalog.lower(attributes::text collate pg_catalog."C");
    others text[] := '{}';
begin
    if pg_catalog.strpos(written, '//') = 0 and pg_catalog.strpos(written, 'related') = 0
        and pg_catalog.strpos(written, 'sell') = 0 and pg_catalog.strpos(written, 'unit') = 0
        and pg_catalog.strpos(written, 'grouped_p') = 0 and pg_catalog.strpos(written, 'associated_s') = 0
        and pg_catalog.strpos(written, 'acessories') = 0
        and (written !~ '"([a-z ]{2,5}|inches|[01])"[],}]' or written !~
            '"(true|false|yes|no|[01]|[kmcd][gm]|lbs?|oz|inch(es)?|ft|yd|[mcd]l|ltr|gal|fl oz|pcs?|ea)"[],}]')
    then
        return attributes;
    end if;
    if written ~ 'related|sell|unit|grouped_p|associated_s|acessories' then
        others := array(select name from pg_catalog.jsonb_object_keys(attributes) name
            where name ~* ('(^|[^a-z])related|up[_ -]?sell|cross[_ -]?sell|^grouped_products$|^associated_skus$'
                '|^acessories$|(^|[^a-z])units?([^a-z]|$)'));
    end if;
    return (
        select coalesce(pg_catalog.jsonb_agg(said.words), '[]')
        from (
            select case when pg_catalog.strpos(found.written, '//') = 0 then found.written
                else shop_private.without_addresses(found.written) end as words
            from (
                select v #>> '{}' as written
                from pg_catalog.jsonb_path_query(attributes - others, 'strict $.**') v
                where pg_catalog.jsonb_typeof(v) = 'string') found) said
        where said.words <> '' and pg_catalog.lower(said.words collate pg_catalog."C") not in (
            'true', 'false', 'yes', 'no', '0', '1', 'kg', 'mg', 'cg', 'dg', 'lb', 'lbs', 'oz', 'mm', 'cm', 'dm', 'km',
            'inch', 'inches', 'ft', 'yd', 'ml', 'cl', 'dl', 'ltr', 'gal', 'fl oz', 'pcs', 'pc', 'ea'));
end $$"""

# Only the first 20,000 characters of a description count. The cast from text to regconfig is in fact immutable, because
# the configurations of pg_catalog do not change.
KEYWORDS = r"""
create or replace function shop_private.keywords(
    language text, sku text, title text, brand text, product_type text, color text, material text, gtin text, mpn text,
    description text, attributes jsonb
) returns tsvector
language plpgsql immutable parallel safe as $$
declare
    c constant regconfig := ('pg_catalog.' || pg_catalog.quote_ident(language))::pg_catalog.regconfig;
    kinds constant text := pg_catalog.concat_ws(' ', brand, product_type, color, material);
    described text := pg_catalog."left"(coalesce(description, ''), 20000);
    said constant jsonb := case when attributes = '{}' then '[]' else shop_private.attribute_words(attributes) end;
    kind_words tsvector := pg_catalog.to_tsvector(c, kinds);
    properties tsvector := pg_catalog.jsonb_to_tsvector(c, said, '["string"]');
    texts constant jsonb := pg_catalog.jsonb_path_query_array(said, 'strict $.** ? (@.type() == "string")');
    short constant text := kinds || ' ' || texts::text;
begin
    -- One test covers the short texts. The JSON text of `texts` has each character of a text as it is, except quotes,
    -- backslashes and control characters, which follow a backslash.
    if pg_catalog.octet_length(short) > pg_catalog.length(short) or pg_catalog.strpos(short, E'\\') > 0
        or short ~ CODE_LIKE or short ~ E'(^|[\\s"])[b-hj-np-tv-xzB-HJ-NP-TV-XZ][ "]'
    then
        kind_words := shop_private.with_forms(kind_words, c, kinds, null);
        if properties <> '' then
            properties := shop_private.with_forms(properties, c, (select pg_catalog.string_agg(t.words, ' ')
                from pg_catalog.jsonb_array_elements_text(texts) t(words)), null);
        end if;
    end if;
    if pg_catalog.strpos(described, '//') > 0 then
        described := shop_private.without_addresses(described);
    end if;
    return pg_catalog.setweight(shop_private.with_forms(
            pg_catalog.to_tsvector(c, pg_catalog.concat_ws(' ', title, sku, gtin, mpn)), c, title,
            pg_catalog.concat_ws(' ', sku, mpn, case when gtin !~ '^[1-9][0-9]*$' then gtin end)), 'A')
        operator(pg_catalog.||) pg_catalog.setweight(kind_words, 'B')
        operator(pg_catalog.||) pg_catalog.setweight(properties, 'C')
        operator(pg_catalog.||) pg_catalog.setweight(
            shop_private.with_forms(pg_catalog.to_tsvector(c, described), c, described, null), 'D');
end $$""".replace("CODE_LIKE", CODE_LIKE)

# The function of revision 0002. It adds no forms of words.
PLAIN_KEYWORDS = """
create or replace function shop_private.keywords(
    language text, sku text, title text, brand text, product_type text, color text, material text, gtin text, mpn text,
    description text, attributes jsonb
) returns tsvector
language plpgsql immutable parallel safe as $$
declare
    c constant regconfig := ('pg_catalog.' || pg_catalog.quote_ident(language))::pg_catalog.regconfig;
begin
    return pg_catalog.setweight(pg_catalog.to_tsvector(c, pg_catalog.concat_ws(' ', title, sku, gtin, mpn)), 'A')
        operator(pg_catalog.||) pg_catalog.setweight(
            pg_catalog.to_tsvector(c, pg_catalog.concat_ws(' ', brand, product_type, color, material)), 'B')
        operator(pg_catalog.||) pg_catalog.setweight(pg_catalog.jsonb_to_tsvector(c, attributes, '["string"]'), 'C')
        operator(pg_catalog.||) pg_catalog.setweight(
            pg_catalog.to_tsvector(c, pg_catalog."left"(coalesce(description, ''), 20000)), 'D');
end $$"""

HELPERS = (FOLD, MARK_DECIMALS, WORD_PIECES, WORD_PARTS, BIGRAMS, WITH_FORMS, WITHOUT_ADDRESSES, ATTRIBUTE_WORDS)


def upgrade() -> None:
    for function in HELPERS:
        op.execute(function)
    # The new keywords of a product contain its old keywords, except addresses, booleans, units and related products.
    # Therefore the old search, which serves until this upgrade ends, finds the same products, whether their rows have
    # new or old keywords.
    op.replace_keywords(KEYWORDS)


def downgrade() -> None:
    op.replace_keywords(PLAIN_KEYWORDS)
    op.execute("drop function shop_private.with_forms(tsvector, regconfig, text, text)")
    op.execute("drop function shop_private.attribute_words(jsonb)")
    for name in ("without_addresses", "bigrams", "word_parts", "word_pieces", "mark_decimals", "fold"):
        op.execute(f"drop function shop_private.{name}(text)")
