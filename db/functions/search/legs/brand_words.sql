-- Looks for brands of a catalog in a text. `keys` returns the keys of the brands that the text contains as one to three
-- adjacent words. `others` is a tsquery that finds products with at least one of the other words of the text. `keys` is
-- null if the text contains no brand or no other word, or if no product has one of the other words. p_synonyms are the
-- synonyms of the text, and p_words lists the lexemes of the text and of its synonyms. The terms of a synonym count as
-- other words, unless the synonym replaces words of a recognised brand. No brand is recognised while an index that
-- exact_indexes_ready checks is missing (a large first load defers these indexes). Nor is one recognised under row
-- level security, because PostgreSQL would then not use the indexes.
create or replace function shop_private.brand_words(
    p_text text, p_catalog text, p_language regconfig, p_words text[],
    p_synonyms shop_private.synonym_use[] default null, out keys text[], out others tsquery
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- the planner expects an early match, so it would scan the table
as $$
declare
    typed constant text[] := (regexp_split_to_array(btrim(p_text), E'\\s+'))[:@keyword_max_words@];
    words constant text[] := case when p_synonyms is null then p_words
        else shop_private.query_words(p_text, p_language) end;
    brands text;  -- the brands as they were typed, with blanks between them
    places int4multirange;  -- the places of the brands in the text
    other_words text[];
begin
    if cardinality(words) < 2 or row_security_active('shop.product'::regclass)
        or not shop_private.exact_indexes_ready()
    then
        return;
    end if;
    select array_agg(s.key), string_agg(s.words, ' '), range_agg(int4range(s.a, s.b, '[]')) into keys, brands, places
    from (
        select a, b, t.words, shop_private.identifier_key(t.words) as key
        from generate_subscripts(typed, 1) a, generate_series(a, least(a + 2, cardinality(typed))) b,
            lateral array_to_string(typed[a:b], ' ') t(words)) s,
        lateral (  -- because of the limit, the planner looks up each key in the index
            select from shop.product p
            where shop_private.identifier_key(p.brand) = s.key and p.catalog = p_catalog limit 1) p;
    if keys is not null then
        other_words := array(
            select w from unnest(words) w
            where w <> all(shop_private.query_words(brands, p_language)) union
            select w
            from unnest(p_synonyms) u, unnest(u.terms) t(term), unnest(shop_private.query_words(t.term, p_language)) w
            where not places @> int4range(u.first, u.last, '[]')
                and w <> all(shop_private.query_words(brands, p_language)));
        select string_agg(quote_literal(w), ' | ')::tsquery into others from unnest(other_words) w;
        if not exists (select from shop.common_word c where c.word = any(other_words))
            and not exists (select from shop.product p where p.keywords @@ others)
        then
            keys := null;
        end if;
    end if;
end $$;
