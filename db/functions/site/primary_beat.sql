-- Updates the heartbeat of the primary if it is more than 900 ms old or in the future. Returns the time by the clock of
-- the primary. A standby shows the heartbeat that it has replayed, so the lag of the standby is at most the age of this
-- heartbeat. Web processes with a separate read address call this function. The heartbeat does not depend on an
-- encoder.
--
-- The commit waits only for the primary's own disk. If it waited for a synchronous standby that does not answer, the
-- row would stay locked, and the primary would seem to be down. The function sets synchronous_commit in its body,
-- because the effect of a SET clause would end before the commit.
create or replace function shop_private.primary_beat()
returns timestamptz
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform set_config('synchronous_commit', 'local', true);
    update shop_private.primary_heartbeat set beat_at = clock_timestamp()
    where beat_at not between clock_timestamp() - interval '900 ms' and clock_timestamp();
    insert into shop_private.primary_heartbeat (beat_at)
    select clock_timestamp() where not exists (select from shop_private.primary_heartbeat)
    on conflict do nothing;
    return clock_timestamp();
end $$;
