-- Disables a watch, unless another transaction has locked it. The matches of the watch stay.
create or replace function shop_private.watch_disable(p_watch integer, p_error text)
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update shop.watch w set disabled_at = clock_timestamp(), error = left(p_error, 1000)
    where w.watch_id = (
        select o.watch_id from shop.watch o where o.watch_id = p_watch and o.disabled_at is null
        for no key update skip locked);
$$;
