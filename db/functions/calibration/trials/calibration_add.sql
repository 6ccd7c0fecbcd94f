-- Stores the result of query number p_query of a trial in calibration_list. A trial is a search of each query with the
-- same setting. p_leg has the products that the search found by image.
create or replace function shop_private.calibration_add(p_step text, p_query integer, p_leg shop_private.leg)
returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.calibration_list (step, condition, query, product_ids, distances, examined, ms)
    values (p_step, 1, p_query, coalesce(p_leg.product_ids, '{}'), coalesce(p_leg.measures, '{}'), p_leg.rows_examined,
        p_leg.ms)
$$;
