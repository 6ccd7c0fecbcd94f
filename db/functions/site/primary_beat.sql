-- Updates the heartbeat of the primary, at most once a second, and returns the time by the clock of the primary. A
-- standby shows the heartbeat that it has replayed, so the age of this heartbeat is the lag of the standby. Web
-- processes that read from a standby call this function, so a site without an encoder has a heartbeat too.
create or replace function shop_private.primary_beat()
returns timestamptz
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    update shop_private.primary_heartbeat set beat_at = clock_timestamp()
    where beat_at not between clock_timestamp() - interval '900 ms' and clock_timestamp();
    return clock_timestamp();
end $$;
