-- Returns a statement for the first product of each group of variants among the products of p_keys, a statement of
-- browse_keys, in the same order. The first product of a group is the one that comes first in the whole list, so it is
-- the same on every page. The statement returns the columns of p_keys. The parameter $1 of p_keys has to be null, and
-- $2 is the largest number of rows.
--
-- For each product of p_keys, the index on item_group_id finds the other products of the group, until one of them comes
-- before the product. At most @group_most_read@ products of a group are read, so a larger group may have several rows.
create or replace function shop_private.browse_heads(p_keys text, p_filter jsonb, p_catalog text, p_sort text)
returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    sign constant text := case when p_sort like '% desc' then '>' else '<' end;
    key constant text := case
        when p_sort is null then 'null::numeric'
        when p_sort like 'effective_price%'
            then 'shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)'
        else 'p.price' end;
begin
    -- The subquery in `coalesce` is run for each product. An anti join would read all products first.
    return format('select o.* from (%1$s) o
        where o.item_group_id is null or coalesce((
            select false
            from (select p.* from shop.product p where p.item_group_id = o.item_group_id limit @group_most_read@) p
            where (%2$s) and (%3$s) and case when o.key is null
                then %4$s is not null or p.product_id %5$s o.product_id
                else (%4$s, p.product_id) %5$s (o.key, o.product_id) end
            limit 1), true)
        limit $2',
        p_keys, shop_private.catalog_condition(p_catalog), shop_private.filter_condition(p_filter), key, sign);
end $$;
