-- Sets the language in which the keywords of a catalog are stemmed. A product with a language of its own (see
-- product_catalog) keeps this language. The function rewrites the products whose language changes. No product is
-- encoded again. If the language of the catalog changes, the synonyms that have no language are stemmed again: those of
-- this catalog, and those that hold in every catalog. The words of the catalog's watches (stored searches) are stemmed
-- again, too (see catalog_language_changed). Returns the number of rewritten products.
create or replace function shop.set_language(language text, catalog text default 'main')
returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    p_language constant text := language;
    p_catalog constant text := catalog;
    changed bigint;
begin
    insert into shop.catalog as c (catalog, language) values (p_catalog, p_language)
    on conflict on constraint catalog_pkey do update set language = excluded.language
    where c.language <> excluded.language;
    if found then
        update shop.synonym s set terms = s.terms
        where s.language is null and coalesce(s.catalog, p_catalog) = p_catalog;
    end if;
    update shop.product p set language = p_language
    where p.catalog = p_catalog and p.language <> p_language
      and (not p.attributes ? 'content_language'
          or shop_private.text_language(p.attributes ->> 'content_language') is null);
    get diagnostics changed = row_count;
    return changed;
end $$;
