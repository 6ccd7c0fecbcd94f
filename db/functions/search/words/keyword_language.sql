-- Returns the text search configuration in which the words of a query are stemmed. If the session has set
-- shop.language, this setting decides; otherwise the language of the catalog does. For an unknown catalog, the result
-- is english. Raises an error if shop.language names no known language. The function needs no SET clause, because it
-- runs under the search_path of its callers.
create or replace function shop_private.keyword_language(p_catalog text)
returns regconfig
language plpgsql stable as $$
declare
    wanted constant text := nullif(current_setting('shop.language', true), '');
    language text;
begin
    if wanted is not null then
        language := shop_private.text_language(wanted);
    end if;
    if wanted is not null and language is null then
        raise exception using errcode = '22023', message = format('there is no language %L', left(wanted, 100)),
            hint = 'Give a code such as de or a name such as german. Without a language, that of the catalog is used.';
    elsif wanted is null then
        select c.language into language from shop.catalog c where c.catalog = p_catalog;
    end if;
    return ('pg_catalog.' || quote_ident(coalesce(language, 'english')))::regconfig;
end $$;
