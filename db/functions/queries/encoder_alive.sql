-- Tells whether a connected encoder answers queries for model p_model_id. The proof is a row of
-- shop_private.query_lane, which only the encoder role can write. The row counts only while the session that wrote it
-- is connected with the rights of the encoder role. The last report must be less than @query_lane_seconds@ seconds old.
-- An advisory lock could not serve as proof, because every role may take it.
create or replace function shop_private.encoder_alive(p_model_id smallint)
returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from shop_private.query_lane q
        join pg_stat_activity a on a.pid = q.backend_pid and a.datname = current_database()
        where p_model_id = any (q.models)
          and q.reported_at > clock_timestamp() - make_interval(secs => @query_lane_seconds@)
          and pg_has_role(a.usesysid, '@encoder@', 'member'))
$$;
