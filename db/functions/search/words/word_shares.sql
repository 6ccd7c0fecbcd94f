-- Returns, for each required part of a query (see keyword_query), the share of all products that have the part. p_words
-- lists the words of the query. A part with several spellings has the sum of their shares. The share is null if
-- shop.common_word does not list the part. The function needs no SET clause, because it runs under the search_path of
-- keyword_leg.
create or replace function shop_private.word_shares(p_required text[], p_words text[])
returns double precision[]
language plpgsql stable as $$
begin
    return array(
        select (select least(1, sum(c.share)) from shop.common_word c
                where c.word = any(p_words) and array_to_tsvector(array[c.word]) @@ r.part::tsquery)
        from unnest(p_required) r(part));
end $$;
