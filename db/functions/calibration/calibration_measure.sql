-- Runs a calibration (see shop.calibrate) until p_until, or to its end if p_until is null. Returns the stored row of
-- shop.calibration, or null if p_until comes before the end. Every call goes through all steps again. If an
-- earlier call has completed a step, this call only reads its results from calibration_run and calibration_list. So a
-- later call continues where the last call stopped.
create or replace function shop_private.calibration_measure(
    p_run shop_private.calibration_run, p_queries integer, p_until timestamptz
)
returns shop.calibration
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    run shop_private.calibration_run := p_run;
    s shop_private.search_settings := shop_private.search_settings();
    result shop.calibration;
    chosen record;
    mixes jsonb;
    far_filters jsonb;
    labels jsonb;
begin
    if run.vectors is null then
        run := shop_private.calibration_sample(run, p_queries, s);
        if clock_timestamp() >= p_until then
            return null;
        end if;
    end if;
    result := jsonb_populate_record(null::shop.calibration, run.done);
    result.model_id := s.model_id; result.products := run.products; result.k := run.k;
    result.target_recall := run.target_recall;
    result.queries := cardinality(run.vectors); result.query_kind := run.query_kind;
    result.ef_search := s.ef_search; result.slack := s.stop_margin;
    result.hnsw_us_per_candidate := s.hnsw_us_per_candidate;
    result.measured := '[]';
    result.bits := s.image_bits;
    if s.image_index is not null and run.products >= @calibration_index_products@ then
        if not shop_private.calibration_nearest(run, s.image_table, p_until) then
            return null;
        end if;
        chosen := shop_private.calibration_ef_search(run, case when s.image_bits is null then @default_ef_factor@
            else @default_bit_factor@ end * sqrt(greatest(run.products, s.images)), s.image_index, s.image_bits,
            p_until);
        if chosen.ef_search is null then
            return null;
        end if;
        result.ef_search := chosen.ef_search; result.measured := chosen.measured;
        result.recall := chosen.recall;
        result.lowest_recall := (chosen.measured -> -1 ->> 'lowest')::double precision;
        if s.image_bits is null then
            chosen := shop_private.calibration_stop_margin(run, result.exact_us_per_row, s.image_index, p_until);
            result.slack := chosen.stop_margin;
        else
            chosen := shop_private.calibration_bit_filters(run, result.ef_search, s.image_index, p_until);
        end if;
        if chosen.measured is null then
            return null;
        end if;
        result.hnsw_us_per_candidate := chosen.us_per_candidate;
        result.measured := result.measured || chosen.measured;
    end if;
    result.crossover_rows := least(@compare_limit@, greatest(
        @exact_floor@, result.ef_search * result.hnsw_us_per_candidate / result.exact_us_per_row));
    if result.recall is not null and run.products > result.crossover_rows then
        s.products := run.products;
        s.ef_search := result.ef_search; s.bit_candidates := result.ef_search; s.stop_margin := result.slack;
        s.exact_us_per_row := result.exact_us_per_row; s.hnsw_us_per_candidate := result.hnsw_us_per_candidate;
        s.exact_limit := result.crossover_rows;
        mixes := shop_private.calibration_mixes(run, s, p_until);
        far_filters := case when mixes is not null then shop_private.calibration_far_filters(run, s, p_until) end;
        labels := case when far_filters is not null then shop_private.calibration_labels(run, s, p_until) end;
        if labels is null then
            return null;
        end if;
        result.measured := result.measured || mixes || far_filters;
    end if;

    result.advice := shop_private.calibration_advice(result, s.image_index);
    insert into shop.calibration (model_id, products, k, target_recall, recall, queries, query_kind, ef_search, slack,
        exact_us_per_row, hnsw_us_per_candidate, crossover_rows, background_mean, background_deviation, measured,
        advice, bits, lowest_recall)
    values (result.model_id, result.products, result.k, result.target_recall, result.recall, result.queries,
        result.query_kind, result.ef_search, result.slack, result.exact_us_per_row, result.hnsw_us_per_candidate,
        result.crossover_rows, result.background_mean, result.background_deviation, result.measured,
        result.advice, result.bits, result.lowest_recall)
    returning * into result;
    update shop.label_index l
    set ef_search = (labels #>> array[l.label_id::text, 'ef_search'])::integer,
        images = (labels #>> array[l.label_id::text, 'images'])::double precision
    where l.model_id = result.model_id;
    delete from shop_private.calibration_run;
    delete from shop_private.calibration_list;
    return result;
end $$;
