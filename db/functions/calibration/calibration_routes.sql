-- Measures the image leg with the settings of p_settings. Each query takes the route that a search would choose.
-- p_starts holds two vectors for each query: the inputs of positive weight. p_starts is null if each query has a single
-- input. p_share is the share of all products that meet p_condition, a filter on p (shop.product) or 'true'.
--
-- `recall` is the mean recall@k of the queries, and `lowest` is the lower confidence bound of that mean. `candidates`
-- is the median number of rows that a leg examines. `ms` is the lower quartile of the legs' times, in milliseconds.
create or replace function shop_private.calibration_routes(
    p_queries @vector@.halfvec[], p_starts @vector@.halfvec[], p_condition text, p_share double precision,
    p_k integer, p_settings shop_private.search_settings,
    out recall double precision, out lowest double precision, out candidates double precision, out ms double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    found record;
    legs shop_private.leg[] := '{}';
    truth text[];
    recalls double precision[] := '{}';
    examined double precision[] := '{}';
    times double precision[] := '{}';
begin
    for n in 1..cardinality(p_queries) loop
        found := shop_private.vector_leg('image', p_queries[n], p_starts[2 * n - 1:2 * n], p_condition, p_k, p_k, null,
            p_share, p_condition <> 'true', p_settings, null);
        legs := legs || found.leg;
        examined := examined || (found.leg).rows_examined::double precision;
        times := times || (found.leg).ms;
    end loop;
    -- The p_k-th product that a leg found lies at least as far as the true p_k-th product.
    truth := shop_private.calibration_truth(p_queries, array_fill(null::uuid, array[cardinality(p_queries)]),
        array(select coalesce(l.measures[p_k], 2) from unnest(legs) with ordinality l order by l.ordinality),
        array[p_condition], p_k, p_settings.image_table);
    for n in 1..cardinality(p_queries) loop
        recalls := recalls || shop_private.recall_of((legs[n]).product_ids, truth[1][n]::uuid[]);
    end loop;
    select avg(r), avg(r) - @calibration_confidence@ * stddev_samp(r) / sqrt(count(*)) into recall, lowest
    from unnest(recalls) r;
    select percentile_cont(0.5) within group (order by e) into candidates from unnest(examined) e;
    select percentile_cont(@calibration_time_quantile@) within group (order by t) into ms from unnest(times) t;
end $$;
