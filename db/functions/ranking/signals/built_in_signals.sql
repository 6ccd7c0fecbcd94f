-- Returns a row for each built-in signal that p_weights names, with weight times value for each product, in the order
-- of p_product_ids. p_weights is an object of names and weights. The function reads with the rights of the caller.
--
--   popularity  of the products with events, the share that is at most as popular as the product (see
--               shop.refresh_signals)
--   stock       1 in stock, 0.5 on order or not known, 0 out of stock
--   freshness   1 at published_at (without it, at the first load of the product), halved by every 30 days since
--   rating      average rating as a share of 5, moved towards 3 as if 5 more customers had given 3
--   discount    share by which the effective price is below the higher one of price and compare_at_price
create or replace function shop_private.built_in_signals(p_product_ids uuid[], p_weights jsonb)
returns setof shop_private.signal_part
language plpgsql stable rows 5 set search_path = pg_catalog, pg_temp as $$
declare
    popular constant boolean := p_weights ? 'popularity';
begin
    return query
    with found as (
        select coalesce(case when popular
                then (select o.value from shop.popularity o where o.product_id = u.product_id) end, 0) as popularity,
            case p.availability when 'in_stock' then 1 when 'out_of_stock' then 0 else 0.5 end::double precision
                as stock,
            coalesce(power(0.5::double precision, least(1000, greatest(0, date_part('epoch',
                statement_timestamp() - coalesce(p.published_at, p.created_at)) / 2592000))), 0) as freshness,
            (coalesce(p.rating::double precision * coalesce(p.review_count, 5), 0) + 15)
                / (case when p.rating is null then 0 else coalesce(p.review_count, 5) end + 5) / 5 as rating,
            coalesce(1 - shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)
                / nullif(greatest(p.price, p.compare_at_price), 0), 0)::double precision as discount
        from unnest(p_product_ids) with ordinality u(product_id, place)
        left join shop.product p on p.product_id = u.product_id
        order by u.place
    ), read as (
        select array_agg(f.popularity) as popularity, array_agg(f.stock) as stock, array_agg(f.freshness) as freshness,
            array_agg(f.rating) as rating, array_agg(f.discount) as discount
        from found f
    )
    select s.name, w.weight, array(select v * w.weight from unnest(s.vals) v),
        (select count(*)::integer from unnest(s.vals) v where v <> 0), null::text
    from read r
    cross join lateral (values ('popularity', r.popularity), ('stock', r.stock), ('freshness', r.freshness),
        ('rating', r.rating), ('discount', r.discount)) s(name, vals)
    cross join lateral (select (p_weights ->> s.name)::double precision) w(weight)
    where w.weight is not null;
end $$;
