-- Returns, for groups of the field p_group_by (none for a null field and for images), the number of their products that
-- match, and the lowest and the highest effective price among those that have the currency p_currencies[n] of the
-- group's first product. p_values are the groups' values.
--
-- A product matches if it passes the cut, or without a cut if it passes the filter. Without a cut, an index finds the
-- products of a group, and at most @group_most_products@ of them are counted. If the field has no index and the catalog
-- has more than @group_scan_products@ products, only the products p_ranked are counted.
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
