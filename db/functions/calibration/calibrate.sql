-- Measures the live catalog, so that searches can choose a route. The function chooses, by recall and cost, ef_search
-- for searches without a filter and the stop margin (see filtered_hnsw_leg) for searches with a filter: the smallest
-- value whose recall@k reaches the target with 95 % confidence. Where no value reaches the target, the function keeps
-- the knee, which is the smallest value whose recall is nearly the best. It measures the time of one comparison, the
-- time of one candidate of the index, and how similar queries are to unrelated products. With these figures, the
-- function then measures searches for mixes of products, and searches whose filter is far from the query. Messages of
-- level INFO report the progress.
--
-- Every stored duration comes from the lower quartile of the measured durations. Other load on the machine makes some
-- measured durations longer, but this extra time is not a cost of a search. The function writes only shop.calibration
-- and shop.common_word. It stores the result as a row of shop.calibration and returns that row. Later searches use the
-- row.
create or replace function shop.calibrate(
    target_recall double precision default 0.98, k integer default 10, queries integer default 150
)
returns shop.calibration
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set max_parallel_workers_per_gather = 0  -- a search has no parallel workers either
as $$
declare
    filters constant record := shop_private.calibration_conditions();
    s shop_private.search_settings;
    sample record;
    result shop.calibration;
    truth text[];  -- the result of calibration_truth for the filters of calibration_conditions
    filtered jsonb;  -- the measurements of calibration_stop_margin
begin
    if target_recall is null or target_recall not between 0.5 and 0.9999 then
        raise exception using errcode = '22023', message = 'target_recall is not between 0.5 and 0.9999';
    end if;
    if k is null or k not between 1 and 100 or queries is null or queries not between 5 and 1000 then
        raise exception using errcode = '22023',
            message = 'k is not between 1 and 100, or queries is not between 5 and 1000';
    end if;
    analyze shop.product;
    perform shop_private.refresh_common_words();
    s := shop_private.search_settings();
    execute format('analyze %s', s.image_table);
    execute format('analyze %s', s.title_table);
    s := shop_private.search_settings();

    sample := shop_private.calibration_queries(s.model_id, queries);
    if sample.vectors is null then
        raise exception using errcode = '55000', message = format('no image is encoded for model %L yet', s.model),
            hint = 'Load a catalog and encode it: "windowshop encode --once".';
    end if;
    result.model_id := s.model_id; result.products := s.products; result.k := k; result.target_recall := target_recall;
    result.queries := cardinality(sample.vectors); result.query_kind := sample.kind;
    select b.mean, b.deviation into result.background_mean, result.background_deviation
    from shop_private.calibration_background(sample.vectors, sample.products) b;
    raise info '% % queries among % products', result.queries, result.query_kind, result.products;
    result.exact_us_per_row := coalesce(
        shop_private.calibration_exact_cost(sample.vectors, k, s.image_table), s.exact_us_per_row);
    result.ef_search := s.ef_search; result.slack := s.stop_margin;
    result.hnsw_us_per_candidate := s.hnsw_us_per_candidate;
    result.measured := '[]';
    if s.image_index is not null and s.products >= @calibration_index_products@ then
        raise info 'comparing the queries with all products';
        truth := shop_private.calibration_truth(sample.vectors, sample.products,
            shop_private.calibration_bounds(sample.vectors, filters.conditions[cardinality(filters.conditions)], k,
                s.image_table),
            filters.conditions, k, s.image_table);
        select e.ef_search, e.recall, e.measured into result.ef_search, result.recall, result.measured
        from shop_private.calibration_ef_search(sample.vectors, sample.products, k, target_recall,
            array(select unnest(truth[1:1])), @default_ef_factor@ * sqrt(greatest(s.products, s.images)),
            s.image_index) e;
        select m.stop_margin, m.us_per_candidate, m.measured
        into result.slack, result.hnsw_us_per_candidate, filtered
        from shop_private.calibration_stop_margin(sample.vectors, sample.products, k, target_recall, truth,
            s.image_index, result.exact_us_per_row, s.products) m;
        result.measured := result.measured || filtered;
    end if;
    result.crossover_rows := greatest(
        @exact_floor@, result.ef_search * result.hnsw_us_per_candidate / result.exact_us_per_row);
    if result.recall is not null and s.products > result.crossover_rows then
        s.ef_search := result.ef_search; s.stop_margin := result.slack;
        s.exact_us_per_row := result.exact_us_per_row; s.hnsw_us_per_candidate := result.hnsw_us_per_candidate;
        s.exact_limit := result.crossover_rows;
        result.measured := result.measured
            || coalesce(shop_private.calibration_mixes(k, s), '[]')
            || shop_private.calibration_far_filters(sample.vectors, truth, k, s);
    end if;

    result.advice := shop_private.calibration_advice(result, s.image_index);
    insert into shop.calibration (model_id, products, k, target_recall, recall, queries, query_kind, ef_search, slack,
        exact_us_per_row, hnsw_us_per_candidate, crossover_rows, background_mean, background_deviation, measured,
        advice)
    values (result.model_id, result.products, result.k, result.target_recall, result.recall, result.queries,
        result.query_kind, result.ef_search, result.slack, result.exact_us_per_row, result.hnsw_us_per_candidate,
        result.crossover_rows, result.background_mean, result.background_deviation, result.measured,
        result.advice)
    returning * into result;
    return result;
end $$;
