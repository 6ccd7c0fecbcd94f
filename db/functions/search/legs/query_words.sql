-- Returns the words of a query's text that products are searched for, stemmed, without stop words. The function has no
-- SET clause: its callers run it under their own settings.
create or replace function shop_private.query_words(p_text text, p_language regconfig)
returns text[]
language plpgsql immutable as $$
begin
    return (tsvector_to_array(to_tsvector(p_language, left(p_text, @keyword_max_length@))))[:@keyword_max_words@];
end $$;
