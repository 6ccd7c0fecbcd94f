-- Returns the trials with the chosen trial as the last entry. A trial is the result of searches with one setting.
-- p_trials lists the trials of one filter in the order of their settings, the cheapest first. The last trial is chosen
-- if the lower bound of its recall (see calibration_finish) reaches p_target. Otherwise the knee is chosen: the first
-- trial whose recall is at most @calibration_knee@ below the best recall.
create or replace function shop_private.calibration_choice(p_trials jsonb, p_target double precision)
returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when (p_trials -> -1 ->> 'lowest')::double precision >= p_target then p_trials
        else (p_trials - k.place) || jsonb_build_array(p_trials -> k.place) end
    from (
        select min(t.place)::integer - 1 as place
        from jsonb_array_elements(p_trials) with ordinality t(trial, place)
        where (t.trial ->> 'recall')::double precision >= (
            select max((best ->> 'recall')::double precision) from jsonb_array_elements(p_trials) best)
                - @calibration_knee@) k
$$;
