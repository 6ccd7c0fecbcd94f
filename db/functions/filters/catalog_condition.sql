-- Returns the condition on p (shop.product) that selects the products of the catalog `catalog`. The condition is 'true'
-- if the database has no other catalog. Raises an error if the catalog does not exist, unless it is main.
create or replace function shop_private.catalog_condition(catalog text)
returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    wanted constant text := catalog;
begin
    if wanted is distinct from 'main' and not exists (select from shop.catalog c where c.catalog = wanted) then
        raise exception using errcode = '42704', message = format('there is no catalog %L', wanted),
            hint = (select 'The catalogs are: ' || coalesce(string_agg(c.catalog, ', '), 'none yet')
                    from (select c.catalog from shop.catalog c order by 1 limit 50) c);
    end if;
    if exists (select from shop.catalog c where c.catalog <> wanted) then
        return format('p.catalog = %L', wanted);
    end if;
    return 'true';
end $$;
