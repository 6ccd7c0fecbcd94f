-- Computes the recall and the cost of the complete trial p_step, stores them in calibration_run and deletes the trial's
-- lists. A trial searches for each query with the same setting. The key of a row of calibration_list is a step, a
-- condition and a query. The row (p_truth, p_condition, n) lists the true nearest products of query n.
--
-- `recall` is the mean recall of the queries. The mean depends on which queries were drawn; `lowest` is its lower bound
-- with a confidence of 95 %. `candidates` is the median number of rows that a search examines. `ms` is the lower
-- quartile of the searches' times, in milliseconds. For us_per_candidate, the time of each search is divided by the
-- number of rows that it examined; the result is the lower quartile, in microseconds.
create or replace function shop_private.calibration_finish(p_step text, p_truth text, p_condition integer)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    figures jsonb;
begin
    select jsonb_build_object('recall', avg(t.recall),
        'lowest', avg(t.recall) - @calibration_confidence@ * stddev_samp(t.recall) / sqrt(count(*)),
        'candidates', percentile_cont(0.5) within group (order by t.examined),
        'ms', percentile_cont(@calibration_time_quantile@) within group (order by t.ms),
        'us_per_candidate', percentile_cont(@calibration_time_quantile@) within group (
            order by 1000 * t.ms / nullif(t.examined, 0)))
    into figures
    from (
        select shop_private.recall_of(l.product_ids, e.product_ids) as recall, l.examined, l.ms
        from shop_private.calibration_list l
        join shop_private.calibration_list e on e.step = p_truth and e.condition = p_condition and e.query = l.query
        where l.step = p_step) t;
    update shop_private.calibration_run r set done = r.done || jsonb_build_object(p_step, figures);
    delete from shop_private.calibration_list l where l.step = p_step;
    raise info '%: recall % (lower bound %)', p_step, round((figures ->> 'recall')::numeric, 3),
        round((figures ->> 'lowest')::numeric, 3);
    return figures;
end $$;
