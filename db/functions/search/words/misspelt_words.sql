-- Returns the words of a text that no product contains, or null if there is no such word. The words are returned as
-- typed, in lower case, because trigrams do not work on stems. The function has no SET clause: keyword_leg calls it
-- under its own settings.
create or replace function shop_private.misspelt_words(p_text text, p_language regconfig)
returns text[]
language plpgsql stable as $$
begin
    return array_agg(t.word)
        from (
            select distinct lower(m[1]) as word
            from regexp_matches(left(p_text, @keyword_max_length@), '[[:alnum:]]{@typo_min_letters@,}', 'g') m
            limit @keyword_max_words@) t,
            tsvector_to_array(to_tsvector(p_language, shop_private.fold(t.word))) l(lexemes)
        where l.lexemes <> '{}' and not exists (select from shop.common_word c where c.word = any(l.lexemes))
            and not exists (select from shop.product p
                where p.keywords @@ plainto_tsquery(p_language, shop_private.fold(t.word)));
end $$;
