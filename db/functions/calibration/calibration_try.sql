-- Runs the image leg through the HNSW index once for each query, and measures recall and time. If p_ef_search is not
-- null, the searches use this ef_search and have no filter. Otherwise, they use p_stop_margin, and their filter is
-- p_condition, a condition on p (shop.product). p_truth[n] lists the exact p_k nearest products of query n (see
-- calibration_truth). p_products[n] is the product whose image is query n, or null if query n is a text.
--
-- `recall` is the mean recall@p_k of the queries. `lowest` is the lower confidence bound of that mean. The bound is
-- needed because the mean over other queries will differ. `candidates` is the median number of candidates that a search
-- examines. `ms` is the lower quartile of the searches' times, in milliseconds. us_per_candidate is the lower quartile,
-- over the searches, of the time divided by the number of candidates, in microseconds.
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
        -- If the query is the image of a product, the leg returns one more product, because the image finds its own
        -- product first.
        k := p_k + (p_products[n] is not null)::int;
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
