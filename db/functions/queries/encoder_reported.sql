-- Tells whether an encoder for model p_model_id has reported in the last @query_lane_grace@ seconds. A connected
-- encoder reports at least every 5 seconds. An encoder that has just lost its connection counts too, because it may
-- connect again.
create or replace function shop_private.encoder_reported(p_model_id smallint)
returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from shop_private.query_lane q
        where p_model_id = any (q.models)
          and q.reported_at > clock_timestamp() - make_interval(secs => @query_lane_grace@))
$$;
