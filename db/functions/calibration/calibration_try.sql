-- Tries one setting of the index route on every query: p_ef_search without a filter, or p_stop_margin with a filter.
-- `recall` is the mean recall@k. `lowest` is its lower confidence bound, because later queries will differ from these
-- queries. `candidates` is the median number of candidates examined, `ms` is the time of a search in milliseconds, and
-- us_per_candidate is the time of one candidate in microseconds.
create or replace function shop_private.calibration_try(
    p_queries @vector@.halfvec[], p_products uuid[], p_truth text[], p_condition text, p_k integer,
    p_ef_search integer, p_stop_margin double precision, p_index regclass,
    out recall double precision, out lowest double precision, out candidates double precision,
    out ms double precision, out us_per_candidate double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    leg shop_private.leg;
    k integer;
    truth uuid[];
    recalls double precision[] := '{}';
    examined double precision[] := '{}';
    times double precision[] := '{}';
    n integer;
begin
    for n in 1..cardinality(p_queries) loop
        k := p_k + (p_products[n] is not null)::int;  -- one more, because an image finds its own product first
        truth := p_truth[n]::uuid[];
        leg := case when p_ef_search is not null
            then shop_private.unfiltered_hnsw_leg('image', p_queries[n], k, 1, p_index, p_ef_search)
            else (shop_private.filtered_hnsw_leg('image', p_queries[n], p_condition, k, k, p_index, p_stop_margin, null,
                @hnsw_max_candidates@)).leg end;
        recalls := recalls || shop_private.recall_of(leg.product_ids, truth);
        examined := examined || leg.rows_examined::double precision;
        times := times || leg.ms;
    end loop;
    select avg(r), avg(r) - @calibration_confidence@ * stddev_samp(r) / sqrt(count(*)) into recall, lowest
    from unnest(recalls) r;
    select percentile_cont(0.5) within group (order by e) into candidates from unnest(examined) e;
    select percentile_cont(@calibration_time_quantile@) within group (order by t),
        percentile_cont(@calibration_time_quantile@) within group (order by 1000 * t / e)
    into ms, us_per_candidate from unnest(times, examined) u(t, e);
end $$;
