-- Chooses ef_search for searches without a filter by recall and cost: the smallest value whose recall@k reaches the
-- target with 95 % confidence. If no value reaches the target, the function chooses the knee instead: the smallest
-- value whose recall is at most @calibration_knee@ below the best recall measured. The trials begin with a fifth of the
-- value that is the default for this number of vectors (p_default).
--
-- `recall` is the mean recall@k of the queries with the chosen value, and `lowest` is the lower confidence bound of
-- that mean. `measured` lists, for each value tried, the recall and the time of a search in milliseconds; the last
-- entry is the chosen value. p_truth is described in calibration_try.
create or replace function shop_private.calibration_ef_search(
    p_queries @vector@.halfvec[], p_products uuid[], p_k integer, p_target double precision, p_truth text[],
    p_default double precision, p_index regclass,
    out ef_search integer, out recall double precision, out lowest double precision, out measured jsonb
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    steps constant integer[] := '{40, 50, 60, 80, 100, 120, 140, 170, 200, 250, 320, 400, 500, 640, 800, 1000}';
    tried record;
    recalls double precision[] := '{}';
    chosen integer;
begin
    measured := '[]';
    foreach ef_search in array steps loop
        continue when ef_search < p_default / 5 and ef_search < @max_ef_search@;
        select * into tried
        from shop_private.calibration_try(p_queries, p_products, p_truth, 'true', p_k, ef_search, null, p_index);
        recalls := recalls || tried.recall;
        measured := measured || jsonb_build_object('filter', 1, 'ef_search', ef_search, 'candidates', ef_search,
            'recall', tried.recall, 'lowest', tried.lowest, 'ms', tried.ms);
        raise info 'without a filter: ef_search %, recall % (lower bound %)', ef_search,
            round(tried.recall::numeric, 3), round(tried.lowest::numeric, 3);
        exit when tried.lowest >= p_target;
    end loop;
    if tried.lowest < p_target then
        select min(r.place) into chosen from unnest(recalls) with ordinality r(recall, place)
        where r.recall >= (select max(m) from unnest(recalls) m) - @calibration_knee@;
        measured := (measured - (chosen - 1)) || jsonb_build_array(measured -> (chosen - 1));
    end if;
    ef_search := (measured -> -1 ->> 'ef_search')::integer;
    recall := (measured -> -1 ->> 'recall')::double precision;
    lowest := (measured -> -1 ->> 'lowest')::double precision;
end $$;
