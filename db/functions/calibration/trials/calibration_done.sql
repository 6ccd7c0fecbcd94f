-- Returns the figures that the present calibration measured in the trial p_step (see calibration_finish), or null if
-- the trial is not complete. A trial is a search of each query with the same setting.
create or replace function shop_private.calibration_done(p_step text)
returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
    select r.done -> p_step from shop_private.calibration_run r
$$;
