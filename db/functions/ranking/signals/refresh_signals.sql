-- Refreshes the stored figures of signals: the popularity of products, and the quantiles of each signal that a role has
-- defined. Returns the number of signals whose quantiles were refreshed. A job calls the function every hour. The role
-- app may call it at any time.
--
-- An event of the last 180 days counts 1 (view), 2 (click), 3 (wishlist), 4 (add_to_cart) or 6 (purchase). If a visitor
-- has several events for a product on one day, only the event with the largest number counts. Events without a visitor
-- count as events of one visitor. A count halves every 14 days. A product's popularity is its place among the products
-- of its catalog that have such events: the share of these products whose sum of counts is at most that of the product.
-- The function does not wait for sessions that delete products; the popularity of these products stays as it is.
create or replace function shop.refresh_signals()
returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    part record;
    signals integer := 0;
begin
    perform from shop.signal s where s.name = 'popularity' for no key update;  -- one refresh at a time
    with counted as (
        select e.catalog, e.sku, date_trunc('day', coalesce(e.occurred_at, e.at), 'UTC') as day, max(case e.kind
            when 'purchase' then 6 when 'add_to_cart' then 4 when 'wishlist' then 3 when 'click' then 2 else 1 end)
            as points
        from shop.event e
        where e.kind <> 'search' and e.sku is not null
            and coalesce(e.occurred_at, e.at) between clock_timestamp() - interval '180 days' and clock_timestamp()
        group by e.catalog, e.sku, day, e.visitor
    ), summed as (
        select c.catalog, c.sku,
            sum(c.points * power(0.5, extract(epoch from statement_timestamp() - c.day) / 86400 / 14)) as points
        from counted c group by c.catalog, c.sku
    ), ranked as (
        select p.product_id, s.points, cume_dist() over (partition by p.catalog order by s.points) as value
        from summed s join shop.product p on p.catalog = s.catalog and p.sku = s.sku
    ), known as materialized (
        select o.product_id from shop.popularity o for update skip locked
    ), removed as (
        delete from shop.popularity o using known k
        where o.product_id = k.product_id and not exists (select from ranked r where r.product_id = o.product_id)
    ), updated as (
        update shop.popularity o set points = r.points, value = r.value from ranked r, known k
        where o.product_id = r.product_id and o.product_id = k.product_id
    ), fresh as materialized (
        select p.product_id from shop.product p
        where p.product_id in (select r.product_id from ranked r
            where not exists (select from shop.popularity o where o.product_id = r.product_id))
        for key share skip locked
    )
    insert into shop.popularity (product_id, points, value)
    select r.product_id, r.points, r.value from ranked r join fresh f on f.product_id = r.product_id;
    update shop.signal s set refreshed_at = clock_timestamp() where s.name = 'popularity';

    for part in select p.name, p.contributions from shop_private.signal_parts(null, null, null) p
        join shop.signal s on s.name = p.name and s.defined_by is not null
        where p.problem is null
    loop
        update shop.signal s set bounds = part.contributions, refreshed_at = clock_timestamp()
        where s.name = part.name;
        signals := signals + 1;
    end loop;
    return signals;
end $$;
