-- Returns a page of the list of shop.browse with group_by. The page has the first product of each group of variants, in
-- the order of the list, after the position that p_after and p_after_cursor give. `key` is the price by which the list
-- is sorted. The first product of a group is the one that comes first in the whole list, so it is the same on every
-- page.
--
-- The function first reads the list in its order. For each product, the index on item_group_id finds the other products
-- of the group. If one of them comes before the product in the list, the product is not the first of its group. At most
-- @group_most_read@ products of a group are read, so a larger group may have several rows. Near the end of the list,
-- nearly every product belongs to a group that has already been listed. So if the next @group_list_read@ products have
-- too few groups for the page, the function reads all products that pass the filter.
create or replace function shop_private.browse_heads(
    p_filter jsonb, p_catalog text, p_after uuid, p_sort text, p_after_cursor text, p_k integer
)
returns table (product_id uuid, key numeric)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp
set enable_sort = off  -- so that the list is read from an index, even if most of it has to be read
as $$
declare
    place constant record := shop_private.browse_place(p_after, p_sort, p_after_cursor);
    direction constant text := case when p_sort like '% desc' then 'desc' else 'asc' end;
    before constant text := case direction when 'desc' then '>' else '<' end;
    behind constant text := case direction when 'desc' then '<' else '>' end;
    in_catalog constant text := shop_private.catalog_condition(p_catalog);
    condition constant text := shop_private.filter_condition(p_filter);
    price constant text := case
        when p_sort is null then 'null::numeric'
        when p_sort like 'effective_price%'
            then 'shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)'
        else 'p.price' end;
    ids uuid[];
    keys numeric[];
begin
    -- The subquery in `coalesce` is run for each product. An anti join would read all products first.
    execute format('select array_agg(h.product_id), array_agg(h.key) from (
            select o.product_id, o.key from (%1$s) o
            where o.item_group_id is null or coalesce((
                select false
                from (select p.* from shop.product p where p.item_group_id = o.item_group_id and (%2$s)
                    limit @group_most_read@) p
                where (%3$s) and case when o.key is null
                    then %4$s is not null or p.product_id %5$s o.product_id
                    else (%4$s, p.product_id) %5$s (o.key, o.product_id) end
                limit 1), true)
            limit $2) h',
        (select k from shop_private.browse_keys(p_filter, p_catalog, p_after, p_sort, p_after_cursor) k limit 1),
        in_catalog, condition, price, before)
    into ids, keys using @group_list_read@, p_k;
    if cardinality(ids) = p_k then
        return query select u.* from unnest(ids, keys) u;
        return;
    end if;
    perform set_config('enable_sort', 'on', true);  -- until the function ends
    return query execute format('select o.product_id, o.key
        from (
            select distinct on (p.item_group_id, p.alone) p.product_id, p.key
            from (
                select p.product_id, p.item_group_id, %1$s as key,
                    case when p.item_group_id is null then p.product_id end as alone
                from shop.product p where (%2$s) and (%3$s)
            ) p
            order by p.item_group_id, p.alone, p.key %4$s nulls last, p.product_id %4$s
        ) o
        where %5$s order by o.key %4$s nulls last, o.product_id %4$s limit $3',
        price, in_catalog, condition, direction, case
            when place.product_id is null then 'true'
            when place.key is null then format('o.key is null and o.product_id %s $1', behind)
            else format('(o.key is null or (o.key, o.product_id) %s ($2, $1))', behind) end)
    using place.product_id, place.key, p_k;
end $$;
