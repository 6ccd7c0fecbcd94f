-- Chooses the stop margin of filtered searches (see calibration_margin). Each filter of calibration_conditions but the
-- first, which every product passes, needs at least the margin of the filter before it, so the trials of a filter begin
-- with that margin. us_per_candidate is the time of one candidate with the chosen margin, in microseconds. `measured`
-- lists the trials of all filters. p_truth is the result of calibration_truth for the filters of
-- calibration_conditions. p_exact_us is the time of one comparison in microseconds, and p_products_in_all is the number
-- of products in the catalog. A trial may cost at most as much as a search that compares the matches one by one.
create or replace function shop_private.calibration_stop_margin(
    p_queries @vector@.halfvec[], p_products uuid[], p_k integer, p_target double precision, p_truth text[],
    p_index regclass, p_exact_us double precision, p_products_in_all bigint,
    out stop_margin double precision, out us_per_candidate double precision, out measured jsonb
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    filters constant record := shop_private.calibration_conditions();
    step integer := 1;
    tried record;
begin
    measured := '[]';
    for n in 2..cardinality(filters.conditions) loop
        tried := shop_private.calibration_margin(p_queries, p_products, p_k, p_target,
            array(select unnest(p_truth[n:n])), filters.conditions[n], filters.shares[n], p_index,
            @collect_cost_factor@ * p_exact_us / 1000
                * least(@compare_limit@, p_products_in_all * filters.shares[n]), step);
        step := tried.p_step;
        stop_margin := tried.stop_margin;
        us_per_candidate := tried.us_per_candidate;
        measured := measured || tried.measured;
    end loop;
end $$;
