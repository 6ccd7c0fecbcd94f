-- Returns the time in milliseconds that a search takes to collect p_count products through an index and to compare
-- their images with the query. The result is the lower quartile of the times of the queries. The filter of each query
-- is a range of product_id; the ranges differ if the site has enough products. Each range is a fair sample, because
-- product_id is a hash. p_drawn holds the ids of all products in ascending order. Every search runs twice. Only the
-- time of the second run counts, because the first run may read its pages from disk. All first runs come before all
-- second runs. If the two runs of a search were consecutive, the second would find its vectors in the processor's
-- cache, and would take half of the usual time.
create or replace function shop_private.calibration_exact_ms(
    p_queries @vector@.halfvec[], p_drawn uuid[], p_count integer, p_k integer, p_table regclass
)
returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    began timestamptz;
    start integer;
    matched uuid[];
    times double precision[];
begin
    for run in 1..2 loop
        times := '{}';
        for n in 1..cardinality(p_queries) loop
            start := (n::bigint * p_count) % greatest(1, cardinality(p_drawn) - p_count + 1);
            began := clock_timestamp();
            matched := (shop_private.collect_matches(format('p.product_id between %L and %L', p_drawn[start + 1],
                p_drawn[start + p_count]), p_count, p_count)).matched;
            perform shop_private.exact_leg('image', p_queries[n], 'true', matched, p_k, 1, p_table);
            times := times || extract(epoch from clock_timestamp() - began)::double precision * 1000;
        end loop;
    end loop;
    return (select percentile_cont(@calibration_time_quantile@) within group (order by t) from unnest(times) t);
end $$;
