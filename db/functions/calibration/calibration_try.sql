-- Of the index route with one ef_search (unfiltered) or one slack: mean recall@k, what it is at the least (with a confidence of 95 %:
-- other queries will come than these), the candidates it looks at half of the time, its time, and that of a candidate.
create or replace function shop_private.calibration_try(
    p_asked @vector@.halfvec[], p_asker uuid[], p_truth text[], p_condition text, p_k integer, p_ef integer,
    p_slack double precision, p_index regclass,
    out recall double precision, out lowest double precision, out candidates double precision, out ms double precision,
    out us_per_candidate double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    leg shop_private.leg;
    k integer;
    recalls double precision[] := '{}';
    looked double precision[] := '{}';
    times double precision[] := '{}';
    n integer;
begin
    for n in 1..cardinality(p_asked) loop
        k := p_k + (p_asker[n] is not null)::int;
        leg := case when p_ef is not null then shop_private.nearest_leg('image', p_asked[n], k, 1, p_index, p_ef)
            else (shop_private.hnsw_leg('image', p_asked[n], p_condition, k, k, p_index, p_slack, null, 100000)).leg end;
        recalls := recalls || (select count(*) from unnest(p_truth[n]::uuid[]) t where t = any(leg.product_ids))
            / greatest(1.0, cardinality(p_truth[n]::uuid[]))::double precision;
        looked := looked || leg.examined::double precision;
        times := times || leg.ms;
    end loop;
    select avg(r), avg(r) - 1.645 * stddev_samp(r) / sqrt(count(*)) into recall, lowest from unnest(recalls) r;
    select percentile_cont(0.5) within group (order by l) into candidates from unnest(looked) l;
    select percentile_cont(0.25) within group (order by t), percentile_cont(0.25) within group (order by 1000 * t / l)
    into ms, us_per_candidate from unnest(times, looked) u(t, l);
end $$;
