-- Returns those words of a text that have at least @typo_min_letters@ letters or digits and that no product contains,
-- or null if there is none. The words are returned in lower case and not stemmed, because trigrams do not work on
-- stems. If the similarity of a word to a very common word is at least p_similarity, the word resembles too many
-- titles. Such a word is not returned, and `common` is a query for these very common words. `typed` lists all words
-- that no product contains, including those that are not returned. The function needs no SET clause, because it runs
-- under the search_path of keyword_leg.
create or replace function shop_private.misspelt_words(
    p_text text, p_language regconfig, p_products bigint, p_similarity double precision,
    out words text[], out common tsquery, out typed text[]
)
language plpgsql stable as $$
begin
    select array_agg(t.word) into words
    from (
        select distinct lower(m[1]) as word
        from regexp_matches(left(p_text, @keyword_max_length@), '[[:alnum:]]{@typo_min_letters@,}', 'g') m
        limit @keyword_max_words@) t,
        tsvector_to_array(to_tsvector(p_language, shop_private.fold(t.word))) l(lexemes)
    where l.lexemes <> '{}' and not exists (select from shop.common_word c where c.word = any(l.lexemes))
        and not exists (select from shop.product p
            where p.keywords @@ plainto_tsquery(p_language, shop_private.fold(t.word)));
    typed := words;
    if words is not null then
        select array_agg(w.word) filter (where c.word is null),
            string_agg(quote_literal(c.word), ' | ')::tsquery
        into words, common
        from unnest(words) w(word)
        left join lateral (
            select c.word from shop.common_word c
            where c.share * p_products > 10 * @keyword_most_read@
                and @trgm@.word_similarity(w.word, c.word) >= p_similarity
            order by @trgm@.word_similarity(w.word, c.word) desc, c.word limit 1) c on true;
    end if;
end $$;
