-- Returns what the present calibration has measured in a trial, the searches with one setting (see calibration_finish),
-- or null if the trial is not complete.
create or replace function shop_private.calibration_done(p_step text)
returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
    select r.done -> p_step from shop_private.calibration_run r
$$;
