-- Returns two parts of the statement of shop.browse, a select list and a join. For each listed product h (a row of
-- shop.product), these parts find the group of the product, and the number of the group's products that pass the
-- filter. They also find the lowest and highest effective price of these products in the currency of h. A product
-- without a group is a group of its own. As in group_figures, at most @group_most_read@ products of a group are read
-- and at most @group_most_products@ are counted. Without p_group_by, the columns are null.
create or replace function shop_private.browse_figures(
    p_filter jsonb, p_catalog text, p_group_by text, out columns text, out joined text
)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    effective constant text :=
        'shop.effective_price(%1$s.price, %1$s.sale_price, %1$s.sale_starts_at, %1$s.sale_ends_at)';
begin
    if p_group_by is null then
        columns := 'null::text, null::bigint, null::numeric, null::numeric';
        joined := '';
        return;
    end if;
    columns := format('h.item_group_id, greatest(g.products, 1), coalesce(g.low, %1$s), coalesce(g.high, %1$s)',
        format(effective, 'h'));
    joined := format('left join lateral (
            select count(*) as products, min(m.price) filter (where m.currency is not distinct from h.currency) as low,
                max(m.price) filter (where m.currency is not distinct from h.currency) as high
            from (
                select p.currency, %1$s as price
                from (select p.* from shop.product p where p.item_group_id = h.item_group_id and (%2$s)
                    limit @group_most_read@) p
                where %3$s limit @group_most_products@
            ) m
        ) g on h.item_group_id is not null',
        format(effective, 'p'), shop_private.catalog_condition(p_catalog), shop_private.filter_condition(p_filter));
end $$;
