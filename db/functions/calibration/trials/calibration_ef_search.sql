-- Chooses ef_search for searches without a filter: the smallest of the tried values whose recall@k reaches the target
-- with 95 % confidence. If no value reaches the target, the function chooses the knee instead: the smallest value whose
-- recall is at most @calibration_knee@ below the best recall measured. The searches with one value are a trial.
-- p_default is the default value for this number of vectors. The trials begin at about a fifth of p_default. If p_bits
-- is not null, the index is over bits (see bit_leg), and ef_search is the number of candidates that are compared.
--
-- `recall` is the mean recall@k of the queries with the chosen value. `measured` lists, for each value tried, the
-- recall and the time of a search in milliseconds; the last entry is the chosen value. All three results are null if
-- the time p_until comes before a trial is complete.
create or replace function shop_private.calibration_ef_search(
    p_run shop_private.calibration_run, p_default double precision, p_index regclass, p_bits integer,
    p_until timestamptz, out ef_search integer, out recall double precision, out measured jsonb
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    steps constant integer[] := case when p_bits is null
        then '{40, 50, 60, 80, 100, 120, 140, 170, 200, 250, 320, 400, 500, 640, 800, 1000}'
        else '{60, 80, 120, 160, 240, 320, 480, 640, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000}' end;
    step integer;
    tried jsonb;
    trials jsonb := '[]';
begin
    foreach step in array steps loop
        continue when step < p_default / 5 and step < steps[cardinality(steps)];
        tried := shop_private.calibration_try(
            format('without a filter: ef_search %s', step), p_run, 1, step, null, p_index, p_until);
        if tried is null then
            return;
        end if;
        trials := trials || ((tried - 'us_per_candidate')
            || jsonb_build_object('filter', 1, 'ef_search', step, 'candidates', step));
        exit when (tried ->> 'lowest')::double precision >= p_run.target_recall;
    end loop;
    measured := shop_private.calibration_choice(trials, p_run.target_recall);
    ef_search := (measured -> -1 ->> 'ef_search')::integer;
    recall := (measured -> -1 ->> 'recall')::double precision;
end $$;
