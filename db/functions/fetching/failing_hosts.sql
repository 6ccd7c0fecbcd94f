-- Returns the hosts whose images cannot be fetched at present, each with the number of images that wait for it.
create or replace function shop_private.failing_hosts()
returns table (
    host text, waiting bigint, failing_since timestamptz, next_attempt_at timestamptz, error text
)
language sql stable rows 10 security definer set search_path = pg_catalog, pg_temp as $$
    select f.host,
        (select count(*) from shop_private.work w where w.host = f.host and w.state = 'pending'
            and w.model_id in (select m.model_id from shop.model m where m.status <> 'retired')),
        f.failing_since, greatest(f.paused_until, clock_timestamp()), f.error
    from shop_private.fetch_host f
    where f.failing_since is not null
    order by 2 desc, 1;
$$;
