-- Returns the keys of the brands that a text contains, each as one to three adjacent words, and `others`, a query for
-- any other word of the text. `keys` is null if the text contains no brand, or if no product has one of the other
-- words. p_words holds the lexemes of the text. No brand is recognised while the index of brands is deferred, or under
-- row level security, where PostgreSQL would not use the index.
create or replace function shop_private.brand_words(
    p_text text, p_catalog text, p_language regconfig, p_words text[], out keys text[], out others tsquery
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- the planner expects to find the brand soon, and would read the table
as $$
declare
    typed constant text[] := (regexp_split_to_array(btrim(p_text), '\s+'))[:@keyword_max_words@];
    lexemes text[] := '{}';  -- the lexemes of the brands
    word text;
    key text;
begin
    if cardinality(p_words) < 2 or row_security_active('shop.product'::regclass)
        or not shop_private.exact_indexes_ready()
    then
        return;
    end if;
    for start in 1 .. cardinality(typed) loop
        for stop in start .. least(start + 2, cardinality(typed)) loop
            word := array_to_string(typed[start:stop], ' ');
            key := shop_private.identifier_key(word);
            perform from shop.product p
                where shop_private.identifier_key(p.brand) = key and p.catalog = p_catalog limit 1;
            if found then
                keys := keys || key;
                lexemes := lexemes || shop_private.query_words(word, p_language);
            end if;
        end loop;
    end loop;
    if keys is not null then
        select string_agg(quote_literal(w), ' | ')::tsquery into others from unnest(p_words) w where w <> all(lexemes);
        perform from shop.product p where p.keywords @@ others limit 1;
        if not found then
            keys := null;
        end if;
    end if;
end $$;
