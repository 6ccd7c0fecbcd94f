-- Returns the text search configuration of a catalog, or english if the catalog is unknown. The function needs no
-- SET clause, because every caller has one.
create or replace function shop_private.keyword_language(p_catalog text)
returns regconfig
language plpgsql stable as $$
begin
    return ('pg_catalog.' || quote_ident(coalesce(max(c.language), 'english')))::regconfig
        from shop.catalog c where c.catalog = p_catalog;
end $$;
