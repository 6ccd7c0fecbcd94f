-- Returns the statements that find the products of shop.browse, in the order of their execution. Without p_sort, one
-- statement finds all products. With p_sort, a first statement finds the products with a sort key, and a second
-- statement finds the products without a key. If the previous page ended with a product without a key, only the second
-- statement is returned. A statement returns product_id, key (the price by which the product is sorted) and
-- item_group_id. A statement returns at most $1 products.
--
-- The first statement reads an index from the place at which the previous page ended. The effective price of a product
-- is its price or its sale price. So the statement for an effective price merges a scan of the index on the price with
-- a scan of the index on the sale price. A product can have an entry in both, and only the entry with the effective
-- price counts. The other entry is dropped after the merge (`offset 0` keeps the planner from dropping it earlier). If
-- a scan dropped entries itself, it would read ahead to its next entry that counts, and the next page would read the
-- same entries again. The query around the merge keeps the order of the merge. An ORDER BY in this query would let the
-- planner sort all entries.
create or replace function shop_private.browse_keys(
    p_filter jsonb, p_catalog text, p_after uuid, p_sort text, p_after_cursor text
)
returns setof text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    place constant record := shop_private.browse_place(p_after, p_sort, p_after_cursor);
    is_first constant boolean := place.product_id is null;
    direction constant text := case when p_sort like '% desc' then 'desc' else 'asc' end;
    sign constant text := case direction when 'desc' then '<' else '>' end;
    effective constant text := 'shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)';
    is_effective constant boolean := p_sort like 'effective_price%';
    condition constant text := format('(%s) and (%s)',
        shop_private.catalog_condition(p_catalog), shop_private.filter_condition(p_filter));
    after constant text := case when is_first then ''
        else format(' and p.product_id %s %L', sign, place.product_id) end;
    with_key text := condition || ' and p.key is not null';
begin
    if p_sort is null then
        return next format('select p.product_id, null::numeric as key, p.item_group_id from shop.product p
            where %s%s order by p.product_id limit $1', condition, after);
        return;
    end if;
    if place.key is not null then
        with_key := with_key || format(' and (p.key, p.product_id) %s (%L, %L)', sign, place.key, place.product_id);
    end if;
    if is_effective and jsonb_typeof(p_filter) = 'object' and p_filter ? 'effective_price' then
        -- The key of an entry that counts is the effective price. So the filter of the effective price applies to the
        -- key too, and bounds the scans.
        with_key := with_key || ' and ' || replace(shop_private.filter_condition(
            jsonb_build_object('price', p_filter -> 'effective_price')), 'p.price', 'p.key');
    end if;
    if is_effective and (is_first or place.key is not null) then
        return next format('select c.product_id, c.key, c.item_group_id
            from (
                select p.product_id, p.key, p.item_group_id, p.of_sale = (%1$s is distinct from p.price) as counts
                from (
                    select price as key, false as of_sale, * from shop.product
                    union all select sale_price, true, * from shop.product
                ) p
                where %2$s order by p.key %3$s, p.product_id %3$s offset 0
            ) c
            where c.counts limit $1', effective, with_key, direction);
    elsif is_first or place.key is not null then
        return next format('select p.product_id, p.key, p.item_group_id
            from (select price as key, * from shop.product) p
            where %1$s order by p.key %2$s, p.product_id %2$s limit $1',
            with_key, direction);
    end if;
    return next format('select p.product_id, null::numeric as key, p.item_group_id from shop.product p
        where %s and p.price is null%s%s order by p.price %4$s, p.product_id %4$s limit $1', condition,
        -- the first part of this condition keeps the planner's estimate right
        case when is_effective then format(' and (p.sale_price is null or %s is null)', effective) end,
        case when place.key is null then after end, direction);
end $$;
