-- Returns the values of the built-in signals p_names for each product, in the order of p_product_ids. The function
-- reads with the rights of the caller.
--
--   popularity  share of the products that visitors used less (shop.popularity)
--   stock       1 in stock, 0.5 on order or not known, 0 out of stock
--   freshness   halves with every 30 days since the shop published the product, or since the product was loaded
--   rating      average rating, moved towards 3 of 5 as if 5 more customers had given 3
--   discount    reduction of the present price, as a share of the price before
create or replace function shop_private.built_in_signals(p_product_ids uuid[], p_names text[])
returns table (name text, vals double precision[])
language sql stable set search_path = pg_catalog, pg_temp as $$
    with found as materialized (
        select u.place, p.availability, p.rating, p.review_count, p.price, p.compare_at_price,
            extract(epoch from statement_timestamp() - coalesce(p.published_at, p.created_at)) / 86400 as days,
            shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) as sells_at,
            case when 'popularity' = any(p_names)
                then (select o.value from shop.popularity o where o.product_id = p.product_id) end as popularity
        from unnest(p_product_ids) with ordinality u(product_id, place)
        left join shop.product p on p.product_id = u.product_id
    )
    select n.name, array(
        select coalesce(case n.name
            when 'popularity' then f.popularity
            when 'stock' then case f.availability when 'in_stock' then 1 when 'out_of_stock' then 0 else 0.5 end
            when 'freshness' then power(0.5, least(1000, greatest(0, f.days) / 30))
            when 'rating' then (coalesce(f.rating * f.review_count, f.rating * 5, 0) + 15)
                / (case when f.rating is null then 0 else coalesce(f.review_count, 5) end + 5) / 5
            when 'discount' then 1 - f.sells_at / nullif(greatest(f.price, f.compare_at_price), 0)
        end, 0)::double precision
        from found f order by f.place)
    from unnest(p_names) n(name)
$$;
