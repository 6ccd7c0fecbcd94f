-- Records that a worker is alive. The worker's lease, which covers all of its items, ends p_lease after this call, by
-- the clock of the database.
create or replace function shop_private.worker_heartbeat(
    p_worker uuid, p_host text, p_pid integer, p_device text, p_lease interval
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.worker as w (worker_id, host, pid, device, heartbeat_at, lease_expires_at)
    values (p_worker, p_host, p_pid, p_device, clock_timestamp(), clock_timestamp() + p_lease)
    on conflict (worker_id) do update
    set heartbeat_at = excluded.heartbeat_at, lease_expires_at = excluded.lease_expires_at;
$$;
