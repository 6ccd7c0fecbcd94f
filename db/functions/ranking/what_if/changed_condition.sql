-- Returns the SQL condition on p (shop.product) that selects the products of one change of shop.what_if.
create or replace function shop_private.changed_condition(p_products jsonb)
returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return format('(%s) and (%s)', shop_private.catalog_condition(coalesce(p_products ->> 'catalog', 'main')),
        shop_private.filter_condition(p_products -> 'filter'));
end $$;
