-- Returns the words that a product must have to match the text of a watch: all of them, in the language of the catalog.
-- With min_similarity, only the image decides, so the result is null.
create or replace function shop_private.watch_words(p_query text, p_catalog text, p_min_similarity double precision)
returns tsquery
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    language constant text := coalesce((select c.language from shop.catalog c where c.catalog = p_catalog), 'english');
begin
    return case when p_query is not null and p_min_similarity is null then
        (shop_private.keyword_query(p_query, ('pg_catalog.' || quote_ident(language))::regconfig)).every_word end;
end $$;
