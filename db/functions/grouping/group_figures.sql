-- Returns a row for each group of a request with group_by, if the group has a value and matching products. p_values[n]
-- is the value of the field group_by in group n, and p_currencies[n] is the currency of the group's first product.
-- `products` is the number of products of the group that match. low and high are the lowest and the highest effective
-- price of the matching products with this currency. Returns no row if group_by is null or 'image'.
--
-- A product matches if it passes the cut of the search p_run, which keeps relevant products. Without a cut, a product
-- matches if it passes the filter, and the count is limited in two cases. If the field has an index, the index finds
-- the products of a group; at most @group_most_read@ of them are read, and at most @group_most_products@ of those that
-- match are counted. If the field has no index and the site has more than @group_scan_products@ products, only the
-- products that the search ranked (p_ranked) are counted.
create or replace function shop_private.group_figures(
    p_request shop_private.search_request, p_run shop_private.search_run, p_values text[], p_currencies text[],
    p_ranked uuid[]
)
returns table (value text, products bigint, low numeric, high numeric)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    field record;
    known uuid[] := (p_run.cut).product_ids;
begin
    if p_request.group_by is null or p_request.group_by = 'image' then
        return;
    end if;
    field := shop_private.group_field(p_request.group_by);
    if known is null and not field.by_index and p_run.products > @group_scan_products@ then
        known := p_ranked;
    end if;
    return query execute format($q$
        select g.value, count(*), min(p.price) filter (where p.currency is not distinct from g.currency),
            max(p.price) filter (where p.currency is not distinct from g.currency)
        from (select distinct on (u.value) u.* from unnest($1, $2) as u(value, currency) where u.value is not null) g
        cross join lateral (
            select %1$s as value, p.currency,
                shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) as price
            from %2$s) p
        where p.value = g.value
        group by g.value$q$,
        field.expression, case
            when known is not null then format('shop.product p where p.product_id = any($3) and %s = any($1) offset 0',
                field.expression)
            when field.by_index then format('(select p.* from shop.product p where %s = g.value and (%s)
                limit @group_most_read@) p where %s limit @group_most_products@', field.expression,
                shop_private.catalog_condition(p_request.catalog), p_run.condition)
            else format('shop.product p where (%s) and %s = any($1) offset 0', p_run.condition, field.expression) end)
    using p_values, p_currencies, known;
end $$;
