-- Records that the encoder of this session answers queries for the models p_models (see encoder_alive).
create or replace function shop_private.query_lane_beat(p_models smallint[])
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.query_lane as q (backend_pid, models, reported_at)
    values (pg_backend_pid(), p_models, clock_timestamp())
    on conflict (backend_pid) do update set models = excluded.models, reported_at = excluded.reported_at;
$$;
