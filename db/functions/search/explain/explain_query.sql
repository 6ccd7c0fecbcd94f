-- Returns the first rows of shop.explain_search: the calibration if it missed its target recall, the query's vectors,
-- and the filter.
create or replace function shop_private.explain_query(p_run shop_private.search_run)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query select 'calibration', null::text, null::text, c.ef_search, null::integer, null::bigint,
        null::double precision, c.advice
    from shop.calibration c where c.calibration_id = p_run.calibration_id and c.advice is not null;
    return query values
        ('query', null::text, null::text, null::integer, null::integer, null::bigint, p_run.vector_ms,
            case when p_run.degraded is not null then 'not encoded: ' || p_run.degraded
                when p_run.image_vector is null then 'not encoded: by keywords alone'
                else format('as vectors of model %s, revision %s', p_run.model, p_run.revision) end),
        ('filter', case when p_run.condition = 'true' then 'none' when p_run.total_is = 'exact' then 'collected'
            when p_run.total_is = 'about' then 'estimated' else 'too many to collect' end, null, null,
            case when p_run.total_is = 'exact' then p_run.total::integer end, null, p_run.filter_ms,
            format('%s; %s %s', p_run.condition, p_run.total_is, p_run.total)
                || case when row_security_active('shop.product'::regclass) then ' that the caller may see'
                    else format(' of %s products', p_run.products) end);
end $$;
