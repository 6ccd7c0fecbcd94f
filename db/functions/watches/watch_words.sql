-- Returns the words that a product must have to match the text of a watch: all of them, stemmed in p_language. With
-- min_similarity, only the image decides, so the result is null.
create or replace function shop_private.watch_words(
    p_query text, p_language regconfig, p_min_similarity double precision
)
returns tsquery
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return case when p_query is not null and p_min_similarity is null then
        (shop_private.keyword_query(p_query, p_language)).every_word end;
end $$;
