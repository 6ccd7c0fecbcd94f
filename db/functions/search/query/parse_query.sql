-- Reads the operators of a query's text (docs/search.md, "Query language"). Returns null if the text has no operator,
-- or is longer than @max_text_length@ characters.
--
--   "two words"        phrases    the product's text has these words, one directly behind the other
--   -word, -"two words"  excluded   the product's text has no such word or phrase
--   brand:nike         fields     the field has this value, except for letter case, accents and punctuation
--   -brand:nike        fields     the field does not have this value
--
-- `words` is the text without exclusions, without fields, and without the quotes of phrases. If this text is empty,
-- `words` has the values that fields must have, or is null if there are none.
--
-- An operator begins at the beginning of the text, after a blank, or directly after the closing quote of a phrase or
-- value ("red"-shoe). Punctuation directly after the closing quote of an operator is dropped ("red", "blue"). All other
-- signs are ordinary text: a quote that is not closed or stands behind a character (24"), a hyphen inside a word
-- (t-shirt), a hyphen before a digit (-5°C), and a colon behind a word that is not the name of a field (http://).
-- Raises an error if the text has more than @query_max_operators@ operators. The function needs no SET clause, because
-- it runs under the search_path of its callers.
create or replace function shop_private.parse_query(p_text text)
returns shop_private.parsed_query
language plpgsql immutable as $$
declare
    filterable constant text[] := array['brand', 'product_type', 'color', 'size', 'material', 'condition',
        'availability', 'currency', 'sku', 'gtin', 'mpn', 'item_group_id'];
    -- the first character of a word that can be excluded: a letter of any script
    letter constant text := E'[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u2c00-\u2dff'
        || E'\u3005-\u3007\u3040-\ud7ff\uf900-\ufdff\ufe70-\uffdc\U00010000-\U0001efff\U00020000-\U0003ffff]';
    quoted constant text := '-?(?:[A-Za-z_]+:)?"[^"]+"';
    parsed shop_private.parsed_query;
    remaining text[] := '{}';
    part text[];
    token text;
    field text;
    value text;
    negated boolean;
    operators integer := 0;
begin
    if length(p_text) > @max_text_length@ then
        return null;
    end if;
    parsed.phrases := '{}';
    parsed.excluded := '{}';
    parsed.fields := '[]';
    for part in
        select m from regexp_matches(translate(p_text, '“”„‟«»', '""""""'),
            -- without (?!...), the longer alternative would take "red"-shoe as one word
            format(E'%1$s[,;.!?)]*|(?!%1$s)\\S+', quoted), 'g') m
    loop
        token := part[1];
        part := regexp_match(token, E'^(-?)(?:([A-Za-z_]+):)?(?:"([^"]+)"[,;.!?)]*|([^"\\s]\\S*))$');
        negated := part[1] = '-';
        field := lower(part[2]);
        value := coalesce(part[3], part[4]);
        operators := operators + 1;
        if field = any(filterable) and shop_private.identifier_key(value) is not null then
            parsed.fields := parsed.fields
                || jsonb_build_object('field', field, 'value', btrim(value), 'not', negated);
        elsif part[2] is null and part[3] is not null and shop_private.word_pieces(shop_private.fold(value)) <> '' then
            parsed.excluded := case when negated then parsed.excluded || btrim(value) else parsed.excluded end;
            parsed.phrases := case when negated then parsed.phrases else parsed.phrases || btrim(value) end;
            remaining := case when negated then remaining else remaining || btrim(value) end;
        elsif token ~ ('^-' || letter) then
            parsed.excluded := parsed.excluded || rtrim(substr(token, 2), ',;.!?)');
        else
            remaining := remaining || token;
            operators := operators - 1;
        end if;
        if operators > @query_max_operators@ then
            raise exception using errcode = '54000',
                message = 'the query has more than @query_max_operators@ phrases, exclusions and fields',
                hint = 'Give long lists of conditions as a filter.';
        end if;
    end loop;
    if operators = 0 then
        return null;
    end if;
    parsed.typed := p_text;
    parsed.words := coalesce(nullif(array_to_string(remaining, ' '), ''), (
        select string_agg(f ->> 'value', ' ') from jsonb_array_elements(parsed.fields) f
        where not (f -> 'not')::boolean));
    return parsed;
end $$;
