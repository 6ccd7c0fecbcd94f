-- Chooses the stop margin (see filtered_hnsw_leg) for one filter: the smallest of the tried margins whose recall@k
-- reaches the target with 95 % confidence. If no tried margin reaches the target, the function chooses the knee
-- instead: the smallest margin whose recall is at most @calibration_knee@ below the best recall measured. p_condition
-- is the number of the filter in calibration_conditions. p_share is the share of all products that pass the filter.
--
-- The searches with one margin are a trial. The trials begin with the smallest margin of at least p_least. They end
-- when one of these conditions holds:
--   (1) the margin reaches the target,
--   (2) a margin above @default_stop_margin@ added less than @calibration_gain@ to the recall, or less than
--       @calibration_progress@ times the recall that was missing before,
--   (3) the lower quartile of the scans' times exceeds p_most_ms,
--   (4) there is no larger margin.
-- Returns a list with the recall, the candidates and the time of each margin tried. The last entry is the chosen
-- margin. Returns null if the time p_until comes before a trial is complete.
create or replace function shop_private.calibration_margin(
    p_run shop_private.calibration_run, p_condition integer, p_share double precision, p_least double precision,
    p_most_ms double precision, p_index regclass, p_until timestamptz
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    margins constant double precision[] :=
        '{0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2}';
    margin double precision;
    before double precision;  -- the recall with the margin before
    tried jsonb;
    trials jsonb := '[]';
begin
    foreach margin in array margins loop
        continue when margin < p_least;
        tried := shop_private.calibration_try(
            format('a filter that a share of %s passes: stop margin %s', round(p_share::numeric, 2), margin),
            p_run, p_condition, null, margin, p_index, p_until);
        if tried is null then
            return null;
        end if;
        trials := trials || (tried || jsonb_build_object('filter', round(p_share::numeric, 3), 'slack', margin));
        before := (trials -> -2 ->> 'recall')::double precision;
        exit when (tried ->> 'lowest')::double precision >= p_run.target_recall
            or (tried ->> 'ms')::double precision > p_most_ms
            or margin > @default_stop_margin@ and (tried ->> 'recall')::double precision - before
                < greatest(@calibration_gain@, @calibration_progress@ * (p_run.target_recall - before));
    end loop;
    return shop_private.calibration_choice(trials, p_run.target_recall);
end $$;
