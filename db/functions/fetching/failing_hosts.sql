-- Returns the hosts of shop.failing_host that have waiting images. Encoders call this function because they may not
-- read the view.
create or replace function shop_private.failing_hosts()
returns table (host text, waiting bigint, error text)
language sql stable rows 10 security definer set search_path = pg_catalog, pg_temp as $$
    select f.host, f.waiting, coalesce(f.error, '') from shop.failing_host f where f.waiting > 0
$$;
