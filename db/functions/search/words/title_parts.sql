-- Returns SQL conditions on p (shop.product) for the words of a query that are looked up in titles instead of keywords:
--
--   - in a query of stop words only (p_stop_words), all words, each as a whole word;
--   - in another query in German or Dutch, words of at least @compound_min_letters@ letters that are not common. They
--     may be parts of longer words. A word is cut to its stem if the stem has at least @compound_min_letters@ letters.
--
-- Call these words the title words. The three results are SQL texts. every_part is true for a product that has all
-- title words in its title, and all shorter words in its keywords. any_part is true for a product with at least one
-- title word in its title. In a query of stop words only, any_part requires all words. `score` is the number of title
-- words that the title has. any_part and `score` are null if the query has no title words. The function needs no SET
-- clause, because it runs under the search_path of keyword_leg.
create or replace function shop_private.title_parts(
    p_words text[], p_language regconfig, p_stop_words boolean,
    out any_part text, out every_part text, out score text
)
language plpgsql stable as $$
declare
    conditions text[];
begin
    if p_stop_words then
        conditions := array(select format('p.title ~* %L', E'\\m' || shop_private.title_pattern(w) || E'\\M')
            from unnest(p_words) w);
        every_part := array_to_string(conditions, ' and ');
        any_part := every_part;
    else
        conditions := array(
            select format('p.title ~* %L', shop_private.title_pattern(
                case when length(l.lexemes[1]) >= @compound_min_letters@ then l.lexemes[1] else w end))
            from unnest(p_words) w, tsvector_to_array(to_tsvector(p_language, w)) l(lexemes)
            where length(w) >= @compound_min_letters@ and l.lexemes <> '{}'
                and not exists (select from shop.common_word c where c.word = l.lexemes[1]));
        every_part := array_to_string(conditions || array(
            select format('p.keywords @@ %L', quote_literal(l.word)) from unnest(p_words) w,
                unnest(tsvector_to_array(to_tsvector(p_language, w))) l(word)
            where length(w) < @compound_min_letters@), ' and ');
        any_part := array_to_string(conditions, ' or ');
    end if;
    if conditions = '{}' then
        any_part := null;
    end if;
    score := (select string_agg(format('(%s)::integer', c), ' + ') from unnest(conditions) c);
end $$;
