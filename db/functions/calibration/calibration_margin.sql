-- Chooses the stop margin (see filtered_hnsw_leg) for one filter by recall and cost: the smallest margin whose recall@k
-- reaches the target with 95 % confidence. If no margin reaches the target at a reasonable cost, the function chooses
-- the knee instead: the smallest margin whose recall is at most @calibration_knee@ below the best recall measured.
--
-- The trials begin with the margin number p_step. They end when one of these conditions holds:
--   (1) the margin reaches the target,
--   (2) a margin above @default_stop_margin@ added less than @calibration_gain@ to the recall,
--   (3) a scan takes longer than p_most_ms,
--   (4) there is no larger margin.
-- `measured` lists the recall, the candidates and the time of each margin tried. The last entry is the chosen margin.
-- us_per_candidate is the time of one candidate with the chosen margin, in microseconds. p_share is the share of all
-- products that meet p_condition, a condition on p (shop.product). calibration_try describes p_truth.
create or replace function shop_private.calibration_margin(
    p_queries @vector@.halfvec[], p_products uuid[], p_k integer, p_target double precision, p_truth text[],
    p_condition text, p_share double precision, p_index regclass, p_most_ms double precision,
    inout p_step integer, out stop_margin double precision, out us_per_candidate double precision, out measured jsonb
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    margins constant double precision[] :=
        '{0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2}';
    first constant integer := p_step;
    tried record;
    recalls double precision[] := '{}';
    costs double precision[] := '{}';
    chosen integer;
begin
    measured := '[]';
    loop
        select * into tried from shop_private.calibration_try(
            p_queries, p_products, p_truth, p_condition, p_k, null, margins[p_step], p_index);
        recalls := recalls || tried.recall;
        costs := costs || tried.us_per_candidate;
        measured := measured || jsonb_build_object('filter', round(p_share::numeric, 3), 'slack', margins[p_step],
            'candidates', tried.candidates, 'recall', tried.recall, 'lowest', tried.lowest, 'ms', tried.ms);
        raise info 'a filter that a share of % passes: stop margin %, recall % (lower bound %)',
            round(p_share::numeric, 2), margins[p_step], round(tried.recall::numeric, 3),
            round(tried.lowest::numeric, 3);
        exit when tried.lowest >= p_target or p_step = cardinality(margins) or tried.ms > p_most_ms
            or margins[p_step] > @default_stop_margin@
                and tried.recall < recalls[cardinality(recalls) - 1] + @calibration_gain@;
        p_step := p_step + 1;
    end loop;
    chosen := cardinality(recalls);
    if tried.lowest < p_target then
        select min(r.place) into chosen from unnest(recalls) with ordinality r(recall, place)
        where r.recall >= (select max(m) from unnest(recalls) m) - @calibration_knee@;
        measured := (measured - (chosen - 1)) || jsonb_build_array(measured -> (chosen - 1));
    end if;
    p_step := first + chosen - 1;
    stop_margin := margins[p_step];
    us_per_candidate := costs[chosen];
end $$;
