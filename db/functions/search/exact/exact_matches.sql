-- Returns the products that a text names. fuse_legs ranks these products before all others. A text names a product in
-- three ways:
--   - an identifier of the product equals the text or a part of the text (see code_tokens);
--   - the brand of the product equals the text;
--   - a code of the text, such as a model number, is in the product's words, such as the title.
-- `grade` orders the products:
--
--   4  the SKU, GTIN or MPN equals the text, except for letter case
--   3  an identifier equals the text, except for letter case, separators and other details (see identifier_key)
--   2  an identifier equals a part of the text
--   1  the brand equals the text, or a code of the text is in the product's words
--
-- Most texts name no product; such a text usually costs a look-up in two indexes. In two cases, the function cannot use
-- the indexes: while one of them is deferred, and under row level security. Then the function looks only at p_found and
-- at the product whose SKU is equal to the text. p_found lists the products that the rankings by image, title and
-- keyword (the legs) found, or that were collected for the filter.
create or replace function shop_private.exact_matches(p_text text, p_catalog text, p_condition text, p_found uuid[])
returns shop_private.exact_match[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- the planner underestimates the cost of identifier_keys, so it would scan the table
set jit = off
as $$
declare
    typed constant text := btrim(left(p_text, @keyword_max_length@));
    whole constant text := shop_private.identifier_key(typed);
    indexed constant boolean := not row_security_active('shop.product'::regclass)
        and shop_private.exact_indexes_ready();
    label constant text := E'^\\W*(sku|gtin|ean|upc|isbn|mpn|asin|(item|part|model|article|art|artikel|product|ref)'
        '[ .]*(no|nr|number|nummer|code)|ref)[ .:#]+(?=\\S*[0-9]\\S*\\s*$)';  -- the label in a text such as SKU: 42
    brands text[] := array[whole];
    language regconfig;
    keys text[] := array_remove(array[whole], null);
    key_words tsquery[] := array_fill(null::tsquery, array[cardinality(keys)]);
    codes tsquery[];
    candidates uuid[];  -- products that may have one of the keys; p_condition is tested later
    is_brand boolean;
    fields text[];  -- the fields in which exact_statement looks for the text
    matches shop_private.exact_match[];
begin
    if typed ~ '[0-9]' then
        language := shop_private.keyword_language(p_catalog);
        select keys || array_agg(t.key),
            key_words || array_agg(case when not t.strong then
                (select q.every_word from shop_private.keyword_query(t.rest, language) q) end),
            array_agg((select coalesce(q.as_typed, q.every_word) from shop_private.keyword_query(t.token, language) q))
                filter (where t.in_text)
        into keys, key_words, codes
        from shop_private.code_tokens(typed) t;
    end if;
    if typed ~* label then
        keys := keys || shop_private.identifier_key(regexp_replace(typed, label, '', 'i'));
        key_words := key_words || null::tsquery;
    end if;
    if typed ~* E'[&+]|\\sand\\s' then
        brands := brands || shop_private.identifier_key(regexp_replace(typed, E'\\s+and\\s+', ' ', 'gi'))
            || shop_private.identifier_key(regexp_replace(typed, E'\\s*[&+]\\s*', ' and ', 'g'));
    end if;
    if indexed then
        -- The statement collects ids with a limit. With "exists", the planner would expect an early match and scan the
        -- table.
        select array_agg(n.product_id) into candidates from (
            select p.product_id from shop.product p
            where shop_private.identifier_keys(p.sku, p.gtin, p.mpn, p.attributes) && keys limit @exact_most_read@) n;
        is_brand := exists (select from shop.product p
            where shop_private.identifier_key(p.brand) = any(brands) and p.catalog = p_catalog);
    else
        candidates := p_found || shop.product_id(typed, p_catalog);
        is_brand := true;
    end if;
    fields := array_remove(array[case when candidates is not null then 'identifier' end,
        case when is_brand then 'brand' end, case when codes is not null then 'text' end], null);
    if fields <> '{}' then
        execute shop_private.exact_statement(p_condition, fields, indexed) into matches
        using keys, key_words, typed, whole, codes, candidates, p_found, p_catalog, brands;
    end if;
    return matches;
end $$;
