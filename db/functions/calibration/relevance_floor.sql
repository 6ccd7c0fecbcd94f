-- Returns the cosine similarity below which an image has nothing to do with the query. The result lies `deviations`
-- standard deviations above the mean similarity of queries to random products. Callers pass the result as
-- min_similarity. The result differs from model to model.
create or replace function shop.relevance_floor(deviations double precision default 3)
returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    lowest double precision;
begin
    if deviations is null or deviations not between -100 and 100 then  -- NaN sorts above every number
        raise exception using errcode = '22023',
            message = format('deviations is %s', coalesce(deviations::text, 'null')),
            hint = 'deviations is the number of standard deviations above the mean: from -100 to 100, usually 3.';
    end if;
    select c.background_mean + deviations * c.background_deviation into lowest from shop.calibration c
    where c.model_id = (shop_private.serving()).model_id order by c.calibration_id desc limit 1;
    if lowest is null then
        raise exception using errcode = '55000', message = 'the serving model was never calibrated on this catalog',
            hint = 'Run "windowshop calibrate".';
    end if;
    return lowest;
end $$;
