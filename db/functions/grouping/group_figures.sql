-- Returns, for each group p_values[n] of the field p_group_by, the number of its products that match. low and high are
-- the lowest and highest effective price among the products with the currency of the group's first product,
-- p_currencies[n]. Returns no row if p_group_by is null or 'image'.
--
-- A product matches if it passes the cut, or without a cut if it passes the filter. Without a cut, if the field
-- has an index, the index finds the products of a group, and at most @group_most_products@ of them are counted. If the
-- field has no index, all products are counted in a catalog of at most @group_scan_products@ products, and only the
-- products p_ranked in a larger one.
create or replace function shop_private.group_figures(
    p_run shop_private.search_run, p_group_by text, p_values text[], p_currencies text[], p_ranked uuid[]
)
returns table (value text, products bigint, low numeric, high numeric)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    field record;
    known uuid[] := (p_run.cut).product_ids;
begin
    if p_group_by is null or p_group_by = 'image' then
        return;
    end if;
    field := shop_private.group_field(p_group_by);
    if known is null and not field.by_index and p_run.products > @group_scan_products@ then
        known := p_ranked;
    end if;
    return query execute format($q$
        select g.value, count(*), min(p.price) filter (where p.currency is not distinct from g.currency),
            max(p.price) filter (where p.currency is not distinct from g.currency)
        from (select distinct on (u.value) u.* from unnest($1, $2) as u(value, currency) where u.value is not null) g
        cross join lateral (
            select p.currency,
                shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) as price
            from shop.product p where %1$s = g.value and (%2$s) limit %3$s) p
        group by g.value$q$,
        field.expression, case when known is null then p_run.condition else 'p.product_id = any($3)' end,
        case when known is null and field.by_index then @group_most_products@::text else 'all' end)
    using p_values, p_currencies, known;
end $$;
