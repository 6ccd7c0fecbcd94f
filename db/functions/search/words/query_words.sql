-- Returns the stemmed words that are looked up for a query's text, including joined forms and bigrams (see
-- keyword_query). Stop words are not returned. The function needs no SET clause, because it runs under the search_path
-- of its callers.
create or replace function shop_private.query_words(p_text text, p_language regconfig)
returns text[]
language plpgsql immutable as $$
begin
    return (shop_private.keyword_query(p_text, p_language)).words;
end $$;
