-- Returns the number of rows that shop.browse lists with group_by => 'item_group_id': the number of groups in which at
-- least one product passes the filter, plus the number of products without a group that pass the filter. The function
-- reads all products that pass.
create or replace function shop_private.browse_total(p_filter jsonb, p_catalog text)
returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    total bigint;
begin
    execute format('select coalesce(sum(case when g.item_group_id is null then g.products else 1 end), 0)
        from (select p.item_group_id, count(*) as products from shop.product p where (%s) and (%s)
            group by p.item_group_id) g',
        shop_private.catalog_condition(p_catalog), shop_private.filter_condition(p_filter)) into total;
    return total;
end $$;
