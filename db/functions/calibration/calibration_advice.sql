-- Returns advice after a calibration that missed its target recall, as a text for people. The text names the recalls
-- whose lower 95 % bound is below the target, and an index that would find more products. Returns null if no recall is
-- below the target. For each filter and kind of query, the last entry of p_calibration.measured has the chosen setting.
-- p_index is the measured HNSW index.
create or replace function shop_private.calibration_advice(p_calibration shop.calibration, p_index regclass)
returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    with chosen as (
        select distinct on (e ->> 'filter', e ->> 'kind') e,
            coalesce(e ->> 'kind', case when (e ->> 'filter')::double precision = 1 then 'searches without a filter'
                else format('filters that %s %% of the products pass',
                    round(100 * (e ->> 'filter')::numeric, 1)) end) as searches
        from jsonb_array_elements(p_calibration.measured) with ordinality m(e, place)
        order by e ->> 'filter', e ->> 'kind', m.place desc
    ), missed as (
        select string_agg(format('%s: %s', l.searches, round(l.recall, 3)), ', ' order by l.recall, l.searches)
            as recalls
        from (
            select c.searches, min((c.e ->> 'recall')::numeric) as recall from chosen c
            where (c.e ->> 'lowest')::double precision < p_calibration.target_recall
            group by c.searches) l
    ), built as (
        select coalesce(max(o.option_value) filter (where o.option_name = 'm'), '16')::integer as m,
            coalesce(max(o.option_value) filter (where o.option_name = 'ef_construction'), '64')::integer as effort
        from pg_class c, pg_options_to_table(c.reloptions) o where c.oid = p_index
    )
    select format('recall@%s misses the target %s (%s); ', p_calibration.k, p_calibration.target_recall, m.recalls)
        || case when p_calibration.bits is null then format('an index with m %s and ef_construction %s instead of '
            '%s and %s', least(100, 2 * b.m), least(1000, 2 * greatest(b.effort, 2 * b.m)), b.m, b.effort)
            else 'an index over vectors (--quantize none)' end || ' finds more of the nearest products'
    from missed m, built b where m.recalls is not null
$$;
