-- Measures searches through an index over bits (see bit_leg) under each filter of calibration_conditions except the
-- first, which every product passes. The searches under one filter are a trial. p_candidates is the number of
-- candidates of a search without a filter. us_per_candidate is the time of one candidate under the last filter, in
-- microseconds. `measured` has an entry for each measured filter. Both results are null if the time p_until comes
-- before a trial is complete.
create or replace function shop_private.calibration_bit_filters(
    p_run shop_private.calibration_run, p_candidates integer, p_index regclass, p_until timestamptz,
    out us_per_candidate double precision, out measured jsonb
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    shares constant double precision[] := (shop_private.calibration_conditions()).shares;
    tried jsonb;
    trials jsonb := '[]';
begin
    for n in 2..cardinality(shares) loop
        tried := shop_private.calibration_try(
            format('a filter that a share of %s passes, by bits', round(shares[n]::numeric, 2)),
            p_run, n, p_candidates, null, p_index, p_until);
        if tried is null then
            return;
        end if;
        trials := trials || ((tried - 'us_per_candidate')
            || jsonb_build_object('filter', round(shares[n]::numeric, 3), 'ef_search', p_candidates));
    end loop;
    us_per_candidate := (tried ->> 'us_per_candidate')::double precision;
    measured := trials;
end $$;
