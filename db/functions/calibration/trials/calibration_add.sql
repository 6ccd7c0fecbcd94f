-- Adds the result of a trial's leg for query number p_query to calibration_list.
create or replace function shop_private.calibration_add(p_step text, p_query integer, p_leg shop_private.leg)
returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.calibration_list (step, condition, query, product_ids, distances, examined, ms)
    values (p_step, 1, p_query, coalesce(p_leg.product_ids, '{}'), coalesce(p_leg.measures, '{}'), p_leg.rows_examined,
        p_leg.ms)
$$;
