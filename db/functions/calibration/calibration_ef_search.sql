-- Returns the smallest ef_search whose recall@k without a filter reaches the target with 95 % confidence. If no value
-- reaches the target, returns the largest value tried. `recall` is the mean recall@k of the queries with the returned
-- value, and `lowest` is the lower confidence bound of that mean. `measured` lists, for each value tried, the recall
-- and the time of a search in milliseconds.
create or replace function shop_private.calibration_ef_search(
    p_queries @vector@.halfvec[], p_products uuid[], p_k integer, p_target double precision, p_table regclass,
    p_index regclass, out ef_search integer, out recall double precision, out lowest double precision,
    out measured jsonb
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    steps constant integer[] := '{40, 50, 60, 80, 100, 120, 140, 170, 200, 250, 320, 400, 500, 640, 800, 1000}';
    truth constant text[] := shop_private.calibration_truth(p_queries, p_products, 'true', p_k, p_table);
    tried record;
begin
    measured := '[]';
    foreach ef_search in array steps loop
        select * into tried
        from shop_private.calibration_try(p_queries, p_products, truth, 'true', p_k, ef_search, null, p_index);
        recall := tried.recall;
        lowest := tried.lowest;
        measured := measured || jsonb_build_object('filter', 1, 'ef_search', ef_search, 'candidates', ef_search,
            'recall', tried.recall, 'lowest', tried.lowest, 'ms', tried.ms);
        raise info 'without a filter: ef_search %, recall % (at least %)', ef_search, round(recall::numeric, 3),
            round(lowest::numeric, 3);
        exit when tried.lowest >= p_target;
    end loop;
end $$;
