-- Records that a host has answered. The host is then no longer paused, and workers can fetch several of its images at
-- the same time.
create or replace function shop_private.fetch_answered(p_host text) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.fetch_host as f (host, answered_at) values (p_host, clock_timestamp())
    on conflict (host) do update
    set answered_at = excluded.answered_at, failures = 0, failing_since = null, paused_until = null,
        probed_until = null, error = null;
$$;
