-- Returns the key of a term or of a part of a query: its words, stemmed, with blanks between them. Letter case, accents
-- and punctuation make no difference. With a null p_language, the words are not stemmed. The function needs no SET
-- clause, because it runs under the search_path of its callers.
create or replace function shop_private.term_key(p_term text, p_language regconfig)
returns text
language plpgsql stable as $$
declare
    words constant text := shop_private.word_pieces(shop_private.fold(p_term));
begin
    if p_language is null then
        return words;
    end if;
    return array_to_string(array(
        select coalesce((tsvector_to_array(to_tsvector(p_language, w)))[1], w)
        from unnest(string_to_array(words, ' ')) w), ' ');
end $$;
