-- Translates the filters and texts of the watches of p_catalog again, or those of all catalogs if p_catalog is null.
-- Disabled watches are left out. An upgrade calls the function for all catalogs, and catalog_language_changed for one.
-- An upgrade disables a watch whose filter or text can no longer be translated. A change of the language fails instead,
-- because the cause could be the caller: if the caller's stack is nearly full, every translation fails.
create or replace function shop_private.watch_compile(p_catalog text default null)
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off as $$
declare
    w record;
begin
    for w in
        select o.watch_id, o.query, o.filter, o.min_similarity,
            'pg_catalog.' || quote_ident(coalesce(o.language, c.language)) as language
        from shop.watch o join shop.catalog c using (catalog)
        where o.disabled_at is null and (p_catalog is null or o.catalog = p_catalog) order by o.watch_id
        for no key update of o
    loop
        begin
            update shop.watch o
            set condition = n.condition, words = n.words
            from (select shop_private.filter_condition(w.filter) as condition,
                shop_private.watch_words(w.query, w.language::regconfig, w.min_similarity) as words) n
            where o.watch_id = w.watch_id and (o.condition, o.words) is distinct from (n.condition, n.words);
        exception when data_exception or syntax_error_or_access_rule_violation or program_limit_exceeded then
            if p_catalog is not null then
                raise;
            end if;
            perform shop_private.watch_disable(w.watch_id, sqlerrm);
        end;
    end loop;
end $$;

select shop_private.watch_compile();
