-- The condition on p (shop.product) that keeps a search inside its catalog; none where there is only one.
create or replace function shop_private.catalog_condition(catalog text)
returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    p_catalog constant text := catalog;
begin
    if not exists (select from shop.catalog c where c.catalog = p_catalog) and p_catalog is distinct from 'main' then
        raise exception using errcode = '42704', message = format('there is no catalog %L', p_catalog),
            hint = (select 'There are: ' || coalesce(string_agg(c.catalog, ', '), 'none yet')
                    from (select c.catalog from shop.catalog c order by 1 limit 50) c);
    end if;
    if exists (select from shop.catalog c where c.catalog <> p_catalog) then
        return format('p.catalog = %L', p_catalog);
    end if;
    return 'true';
end $$;
