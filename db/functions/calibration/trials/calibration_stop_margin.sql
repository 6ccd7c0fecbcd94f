-- Chooses the stop margin of filtered searches (see calibration_margin). The first filter of calibration_conditions,
-- which every product passes, is not measured here. Each later filter needs at least the margin of the filter before
-- it, so its trials begin with that margin. us_per_candidate is the time of one candidate with the margin chosen for
-- the last filter, in microseconds. `measured` lists the trials of all measured filters. All three results are null if
-- the time p_until comes before a trial is complete. p_exact_us is the time of one comparison in microseconds. The
-- trials of a filter end at the latest with the first trial whose searches take longer than comparing the matches one
-- by one. Even the margin of this trial is chosen if it reaches the target.
--
-- The filters of the trials are independent of the query. A filter on the query's own category needs a larger margin,
-- so stop_margin is @own_category_margin@ times the margin that was chosen for the last filter. This larger margin is
-- not tried, so a search can cost more than the trials. If the chosen margin does not reach the target, it is not
-- multiplied, because a larger margin would cost much time for little recall.
create or replace function shop_private.calibration_stop_margin(
    p_run shop_private.calibration_run, p_exact_us double precision, p_index regclass, p_until timestamptz,
    out stop_margin double precision, out us_per_candidate double precision, out measured jsonb
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    shares constant double precision[] := (shop_private.calibration_conditions()).shares;
    least_margin double precision := 0;
    tried jsonb;
    trials jsonb := '[]';
begin
    for n in 2..cardinality(shares) loop
        tried := shop_private.calibration_margin(p_run, n, shares[n], least_margin,
            @collect_cost_factor@ * p_exact_us / 1000 * least(@compare_limit@, p_run.products * shares[n]),
            p_index, p_until);
        if tried is null then
            return;
        end if;
        trials := trials || tried;
        least_margin := (tried -> -1 ->> 'slack')::double precision;
    end loop;
    stop_margin := least_margin * case
        when (tried -> -1 ->> 'lowest')::double precision >= p_run.target_recall then @own_category_margin@ else 1 end;
    us_per_candidate := (trials -> -1 ->> 'us_per_candidate')::double precision;
    measured := (select jsonb_agg(t.trial - 'us_per_candidate' order by t.place)
        from jsonb_array_elements(trials) with ordinality t(trial, place));
end $$;
