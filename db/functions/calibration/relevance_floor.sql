-- Returns the cosine similarity below which an image has nothing to do with the query. The result lies `deviations`
-- standard deviations above the mean similarity of queries to random products. Callers pass the result as
-- min_similarity. The result differs from model to model. Raises an error if no calibration of the serving model is
-- stored, or if deviations is not between -100 and 100.
create or replace function shop.relevance_floor(deviations double precision default 3)
returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    p_model_id constant smallint := (shop_private.serving()).model_id;
    newest shop.calibration;
begin
    if deviations is null or deviations not between -100 and 100 then  -- NaN sorts above every number
        raise exception using errcode = '22023',
            message = format('deviations is %s', coalesce(deviations::text, 'null')),
            hint = 'deviations is the number of standard deviations above the mean: from -100 to 100, usually 3.';
    end if;
    if row_security_active('shop.calibration'::regclass) then
        newest := shop_private.calibration_figures(p_model_id);
    else
        select * into newest from shop.calibration c
        where c.model_id = p_model_id order by c.calibration_id desc limit 1;
    end if;
    if num_nulls(newest.background_mean, newest.background_deviation) > 0 then
        raise exception using errcode = '55000', message = 'the serving model was never calibrated',
            hint = 'Run "windowshop calibrate".';
    end if;
    return newest.background_mean + deviations * newest.background_deviation;
end $$;
